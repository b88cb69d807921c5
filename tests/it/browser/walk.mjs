// Walks the page in a real browser, as people with a keyboard, a phone or no script would.
//
// Arguments: one JSON object { base, chromium, environment, operator, viewer, hostile, modules,
// pictures }. Ends with 0 when everything holds; otherwise says on stderr what does not. `pictures` gets
// screenshots.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const told = JSON.parse(process.argv[2]);
const require = createRequire(join(told.modules, "walk.js"));
const { chromium } = require("playwright-core");
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const BOT = "nightly-export";
const HOSTILE = told.hostile;
const REASON = "Quarterly export; the key goes with the migration in May. <b>Agreed</b>";

const browser = await chromium.launch({
  executablePath: told.chromium,
  env: { ...process.env, ...told.environment },
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
  ],
});

// A window of its own in which nothing may go wrong quietly.
async function window(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.on("dialog", (dialog) => assert.fail(`a script ran: ${dialog.message()}`));
  page.on("pageerror", (error) => assert.fail(`the script failed: ${error}`));
  page.on("console", (message) => {
    const expected = /status of 40[0134]/.test(message.text());
    assert.ok(message.type() !== "error" || expected, `console: ${message.text()}`);
  });
  page.on("request", (request) =>
    assert.ok(request.url().startsWith(told.base), `asked elsewhere: ${request.url()}`));
  return page;
}

async function logIn(page, token, path = "/") {
  await page.goto(told.base + path);
  await page.getByLabel("Access token").fill(token);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("navigation").waitFor();
}

async function picture(page, name) {
  await page.screenshot({ path: join(told.pictures, `${name}.png`), fullPage: true });
}

// No serious violation by axe-core, and nothing that sticks out on the side.
async function sound(page, name) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => axe.run());
  const bad = violations.filter((v) => ["serious", "critical"].includes(v.impact));
  const words = bad.map((v) => `${v.id}: ${v.help}\n    ${v.nodes.map((n) => `${n.html} ${n.failureSummary}`).slice(0, 4).join("\n    ")}`);
  assert.equal(bad.length, 0, `${name}:\n${words.join("\n")}`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${name} is ${wide} px wider than the screen`);
}

const steps = {
  async "nobody gets in without a token"() {
    const page = await window();
    const answer = await page.goto(`${told.base}/inventory?kind=access-key`);
    assert.equal(new URL(page.url()).pathname, "/login");
    const policy = answer.headers()["content-security-policy"];
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /unsafe/);
    await sound(page, "login");
    await picture(page, "login");
    await page.getByLabel("Access token").fill("hct_wrong");
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("alert").getByText("no valid token").waitFor();
    // After the right one, people are where they wanted to go.
    await page.getByLabel("Access token").fill(told.operator);
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("heading", { name: "Inventory" }).waitFor();
    assert.equal(new URL(page.url()).search, "?kind=access-key");
    await page.getByRole("button", { name: "Log out" }).click();
    await page.goto(`${told.base}/`);
    await page.getByLabel("Access token").waitFor();
    await page.context().close();
  },

  async "an operator accepts a stale key with a reason, and it comes back"() {
    const page = await window();
    await logIn(page, told.operator);
    await page.getByRole("region", { name: "Stale" }).getByRole("link", { name: /All .* stale-credential/ }).click();
    await page.locator("tbody tr", { hasText: "team-data" }).getByRole("link").first().click();
    const address = page.url();
    await page.getByText("team-data").first().waitFor();
    await picture(page, "finding");
    // Its trail, its owner, where that is known from.
    await page.locator("dl.facts").getByRole("link").first().click();
    const trail = page.locator("svg.trail");
    await trail.locator("text.name", { hasText: BOT }).waitFor();
    await trail.locator("g.owner text.name", { hasText: "team-data" }).waitFor();
    await page.getByRole("heading", { name: "Timeline" }).waitFor();
    await picture(page, "record");
    await page.goto(address);
    await page.getByLabel("Why it can stay").fill(REASON.replace("; ", ";\n"));
    await page.getByRole("button", { name: "Accept" }).click();
    await page.getByRole("button", { name: "End the exception now" }).waitFor();
    await page.locator("blockquote").getByText(REASON).waitFor();
    const id = new URL(address).searchParams.get("id");
    const link = page.locator(`a[href="/finding?id=${id}"]`);
    await picture(page, "accepted");
    await sound(page, "accepted");
    await page.goto(`${told.base}/findings?rule=stale-credential`);
    await page.getByRole("heading", { name: "Findings" }).waitFor();
    assert.equal(await link.count(), 0, "what is accepted is not among the open ones");
    await page.goto(`${told.base}/findings?rule=stale-credential&status=suppressed`);
    assert.equal(await link.count(), 1, "what is accepted can be found");
    await link.click();
    await page.getByRole("button", { name: "End the exception now" }).click();
    await page.getByLabel("Why it can stay").waitFor();
    await page.locator("ol.timeline li", { hasText: "reopened" }).first().waitFor();
    await page.goto(`${told.base}/findings?rule=stale-credential`);
    assert.equal(await link.count(), 1, "it is back");
    await page.context().close();
  },

  async "a viewer reads and cannot accept"() {
    const page = await window();
    await logIn(page, told.viewer, "/findings?rule=stale-credential");
    await page.locator("tbody a").first().click();
    await page.getByText("needs the role operator").waitFor();
    assert.equal(await page.getByLabel("Why it can stay").count(), 0);
    const csrf = await page.locator('form[action="/logout"] input[name=csrf]').inputValue();
    const finding = new URL(page.url()).searchParams.get("id");
    const form = { csrf, finding, reason: "by hand", until: "2099-01-01" };
    const refused = await page.request.post(`${told.base}/finding/accept`, { form });
    assert.equal(refused.status(), 403);
    await page.reload();
    await page.getByText("needs the role operator").waitFor();
    await page.context().close();
  },

  async "a form from elsewhere changes nothing"() {
    const page = await window();
    await logIn(page, told.operator, "/findings?rule=stale-credential");
    const href = await page.locator("tbody a").first().getAttribute("href");
    const finding = new URL(href, told.base).searchParams.get("id");
    const form = { csrf: "guessed", finding, reason: "forged", until: "2099-01-01" };
    const refused = await page.request.post(`${told.base}/finding/accept`, { form });
    assert.equal(refused.status(), 403);
    await page.goto(told.base + href);
    assert.equal(await page.getByText("forged").count(), 0);
    await page.context().close();
  },

  async "a hostile name is text wherever it stands"() {
    const page = await window();
    await logIn(page, told.operator);
    await page.getByLabel("Search the inventory").fill(HOSTILE);
    await page.keyboard.press("Enter");
    await page.locator("tbody th").getByText(HOSTILE, { exact: true }).click();
    await page.getByRole("heading", { level: 1 }).getByText(HOSTILE, { exact: true }).waitFor();
    assert.ok((await page.title()).startsWith(HOSTILE));
    assert.equal(await page.locator("main img, main script").count(), 0);
    await page.locator("svg.trail g.subject text.name", { hasText: "<img src onerror" }).waitFor();
    await page.locator("dl.facts").getByText("<script>alert(1)</script>", { exact: true }).first().waitFor();
    await page.context().close();
  },

  async "a keyboard is enough"() {
    const page = await window();
    await logIn(page, told.operator);
    await page.goto(`${told.base}/`);
    await page.keyboard.press("Tab");
    const focused = () => page.evaluate(() => document.activeElement.textContent.trim());
    assert.equal(await focused(), "Skip to the content");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    const inside = await page.evaluate(() => document.activeElement.closest("main") !== null);
    assert.ok(inside, "after the skip link, the focus is in the content");
    await page.keyboard.press("/");
    await page.keyboard.type(BOT);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Inventory" }).waitFor();
    await page.locator("tbody").getByText(BOT).first().waitFor();
    await page.context().close();
  },

  async "without script everything works"() {
    const page = await window({ javaScriptEnabled: false });
    await logIn(page, told.operator, "/findings");
    await page.getByLabel("Gather by").selectOption("owner");
    await page.getByRole("button", { name: "Show" }).click();
    await page.getByRole("heading", { name: /team-data/ }).waitFor();
    await page.getByRole("link", { name: "team-data", exact: true }).click();
    await page.getByRole("link", { name: /Owner: team-data/ }).waitFor();
    await page.context().close();
  },

  async "every page is sound in both themes, on a desk and on a phone"() {
    const sizes = { desk: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };
    for (const [size, viewport] of Object.entries(sizes)) {
      for (const colorScheme of ["light", "dark"]) {
        const page = await window({ viewport, colorScheme });
        await logIn(page, told.operator);
        await page.getByLabel("Search the inventory").fill(BOT);
        await page.keyboard.press("Enter");
        const record = await page.locator("tbody th a").first().getAttribute("href");
        await page.goto(`${told.base}/findings`);
        const finding = await page.locator("tbody a").first().getAttribute("href");
        const places = {
          overview: "/", inventory: "/inventory", search: "/inventory?q=e&sort=name",
          record, findings: "/findings?group=owner", finding, sources: "/sources",
          nothing: "/inventory?kind=no-such-kind",
        };
        for (const [name, path] of Object.entries(places)) {
          await page.goto(told.base + path);
          await page.getByRole("heading", { level: 1 }).waitFor();
          await picture(page, `${name}-${size}-${colorScheme}`);
          await sound(page, `${name} (${size}, ${colorScheme})`);
        }
        await page.context().close();
      }
    }
  },
};

for (const [name, step] of Object.entries(steps)) {
  try {
    await step();
    console.log(`ok: ${name}`);
  } catch (error) {
    console.error(`NOT: ${name}\n${error.stack}`);
    process.exitCode = 1;
    break;
  }
}
await browser.close();
