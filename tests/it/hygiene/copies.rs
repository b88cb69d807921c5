//! What leaves the store as a whole: snapshots in every form, and a backup.

use std::fs::File;
use std::path::Path;

use parquet::file::reader::{FileReader as _, SerializedFileReader};

use super::marks::files;
use super::world::World;

/// Takes each, and searches what was written.
pub async fn taken(world: &mut World) {
    let home = world.data.with_file_name("copies");
    for format in ["ndjson", "csv", "parquet"] {
        let folder = home.join(format);
        let out = folder.to_str().unwrap();
        let what = format!("snapshot as {format}");
        let outcome = world.ask(&what, &["snapshot", "--format", format, "-o", out]).await;
        // Whether everything was read lately is not asked here.
        assert!(matches!(outcome.code, Some(0 | 4)), "{what}: {}", outcome.stderr);
        world.search.keep_all(files(&what, &folder));
    }
    let rows = rows(&home.join("parquet/inventory.parquet"));
    world.search.keep("rows of parquet", rows.as_bytes());

    let file = home.join("backup/copy.db");
    std::fs::create_dir(file.parent().unwrap()).unwrap();
    let outcome = world.ask("backup", &["backup", file.to_str().unwrap()]).await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    world.search.keep_all(files("backup", file.parent().unwrap()));
}

/// Every cell as text: in the file they are compressed, and no search sees them.
fn rows(file: &Path) -> String {
    let reader = SerializedFileReader::new(File::open(file).unwrap()).unwrap();
    let rows = reader.get_row_iter(None).unwrap();
    let rows: Vec<String> = rows.map(|row| row.unwrap().to_string()).collect();
    assert!(!rows.is_empty());
    rows.join("\n")
}
