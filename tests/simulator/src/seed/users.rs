//! Seeded users: two in five are people with a console password, the rest are machines with
//! keys in every state that a key can be in.

use jiff::{SignedDuration, Timestamp};

use super::{DAY, Seeder, names};
use crate::change::{Changed, Holder};

impl Seeder<'_> {
    pub(super) fn user(&mut self, account: &str, n: usize) -> Changed<()> {
        // People and machines are counted apart, so that each goes through all its turns.
        let (round, place) = (n / 5, n % 5);
        match place {
            0 => self.person(account, round * 2),
            1 => self.person(account, round * 2 + 1),
            _ => self.machine(account, round * 3 + place - 2),
        }
    }

    fn person(&mut self, account: &str, n: usize) -> Changed<()> {
        let name = names::person(n);
        let age = self.rng.i64(60..1000);
        self.days_ago(self.start, age);
        self.org.create_user(account, &format!("/people/{name}"))?;
        self.org.set_password(account, &name)?;
        if !n.is_multiple_of(6) {
            self.org.enable_mfa(account, &name)?;
        }
        let group = ["developers", "auditors", "developers", "admins"][n % 4];
        self.org.join_group(account, &name, group)?;
        let user = Holder::User(&name);
        self.org.tag(account, user, "email", &format!("{name}@example.com"))?;
        if n % 5 == 3 {
            let key = self.org.create_access_key(account, &name)?;
            self.days_ago(self.start, 2);
            self.org.use_access_key(&key, "ec2", "eu-central-1")?;
        }
        // One in four never signed in, one in four stopped long ago.
        match n % 4 {
            0 | 1 => self.days_ago(self.start, 1),
            2 => self.days_ago(self.start, 45),
            _ => return Ok(()),
        };
        self.org.use_password(account, &name)
    }

    fn machine(&mut self, account: &str, n: usize) -> Changed<()> {
        let name = format!("svc-{}-{n:05}", names::purpose(n));
        let path = if n.is_multiple_of(2) { "/service/" } else { "/" };
        let age = self.rng.i64(420..900);
        self.days_ago(self.start, age);
        self.org.create_user(account, &format!("{path}{name}"))?;
        let user = Holder::User(&name);
        self.owners(account, user, n)?;
        self.powers(account, user, n)?;
        if n % 11 == 4 {
            self.org.join_group(account, &name, "deployers")?;
        }
        self.keys(account, &name, n)?;
        self.other_credentials(account, &name, n)
    }

    fn keys(&mut self, account: &str, user: &str, n: usize) -> Changed<()> {
        match n % 8 {
            0 => self.key(account, user, (20, Some(0))).map(drop),
            1 => self.key(account, user, (400, Some(1))).map(drop),
            2 => self.key(account, user, (200, None)).map(drop),
            3 => {
                let key = self.key(account, user, (300, Some(150)))?;
                self.org.deactivate_access_key(&key)
            }
            4 => {
                self.key(account, user, (410, Some(100)))?;
                self.key(account, user, (15, Some(0))).map(drop)
            }
            5 => self.key(account, user, (380, Some(300))).map(drop),
            6 => Ok(()),
            _ => {
                self.org.clock.set(self.start - SignedDuration::from_mins(40));
                self.org.create_access_key(account, user).map(drop)
            }
        }
    }

    /// A key made and last used the given numbers of days ago.
    fn key(&mut self, account: &str, user: &str, ages: (i64, Option<i64>)) -> Changed<String> {
        let (made, used) = ages;
        self.days_ago(self.start, made);
        let key = self.org.create_access_key(account, user)?;
        if let Some(used) = used {
            let at = self.days_ago(self.start, used);
            debug_assert!(at < self.start, "nothing happens in the future");
            let service = ["s3", "sts", "dynamodb", "sqs"][self.rng.usize(0..4)];
            let region = ["us-east-1", "eu-west-1", "eu-central-1"][self.rng.usize(0..3)];
            self.org.use_access_key(&key, service, region)?;
        }
        Ok(key)
    }

    fn other_credentials(&mut self, account: &str, user: &str, n: usize) -> Changed<()> {
        self.days_ago(self.start, 250);
        let in_days =
            |start: Timestamp, days: i64| Some(start + SignedDuration::from_secs(days * DAY));
        let (bedrock, start) = ("bedrock.amazonaws.com", self.start);
        match n % 12 {
            1 => self.org.upload_ssh_key(account, user).map(drop),
            3 => self.org.upload_signing_certificate(account, user).map(drop),
            5 => self.service_credential(account, user, (bedrock, None)),
            6 => self.service_credential(account, user, (bedrock, in_days(start, 60))),
            7 => self.service_credential(account, user, ("codecommit.amazonaws.com", None)),
            8 => self.service_credential(account, user, (bedrock, in_days(start, -10))),
            9 => self.service_credential(account, user, ("cassandra.amazonaws.com", None)),
            _ => Ok(()),
        }
    }

    fn service_credential(
        &mut self,
        account: &str,
        user: &str,
        (service, expires): (&str, Option<Timestamp>),
    ) -> Changed<()> {
        self.org.create_service_credential(account, user, service, expires).map(drop)
    }
}
