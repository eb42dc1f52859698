// Draws each dashboard in each theme, writes pictures and a report, and fails for every panel that shows nothing.
//
// Input: arguments of `draw`. Output: OUT/DASHBOARD-THEME.png, OUT/report.json, sentences on standard error, 1 for a fault.
// Must not know: how a panel is drawn.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Chromium } from "./chromium.mjs";
import { serve } from "./server.mjs";
import { small } from "./small.mjs";
import { allowed, judge } from "./verdict.mjs";

const UNITS = { s: 1, m: 60, h: 3600, d: 86400 };
const PATIENCE = 120;

const here = dirname(fileURLToPath(import.meta.url));

function seconds(text) {
  const [, count, unit] = /^(\d+)([smhd])$/.exec(text) ?? [];
  if (!unit) {
    throw new Error(`not a duration such as 30s, 15m or 1h: ${text}`);
  }
  return Number(count) * UNITS[unit];
}

function options(text) {
  const string = (value) => ({ type: "string", ...(value && { default: value }) });
  const { values } = parseArgs({
    args: text,
    options: {
      prometheus: string(),
      dashboards: string(join(here, "../dashboards")),
      namespace: string(),
      out: string("target/drawn"),
      themes: string("light,dark"),
      "allow-empty": string(),
      range: string(),
      "scrape-interval": string("15s"),
      width: string("1600"),
    },
  });
  if (!values.prometheus) {
    throw new Error("--prometheus is needed, such as http://127.0.0.1:9090");
  }
  return values;
}

async function draw(chromium, address, name, theme, asked) {
  const text = readFileSync(join(asked.dashboards, `${name}.json`), "utf8");
  const to = Math.floor(Date.now() / 1000);
  const range = seconds(asked.range ?? JSON.parse(text).time.from.replace(/^now-/, ""));
  const parameters = new URLSearchParams({
    board: name,
    theme,
    from: to - range,
    to,
    scrape: seconds(asked["scrape-interval"]),
    ...(asked.namespace && { namespace: asked.namespace }),
  });
  const width = Number(asked.width);
  await chromium.open(`${address}/?${parameters}`, width, 1000);
  const account = await chromium.until("window.drawn", PATIENCE);
  await chromium.resize(width, await chromium.evaluate("Math.ceil(document.getElementById('root').getBoundingClientRect().height)"));
  const picture = await chromium.picture();
  return { account: { name, ...account }, picture };
}

async function main() {
  const modules = process.env.DRAWN_MODULES;
  const UPNG = createRequire(join(modules, "package.json"))("upng-js");
  const asked = options(process.argv.slice(2));
  asked.dashboards = resolve(asked.dashboards);
  const list = asked["allow-empty"] ? allowed(readFileSync(asked["allow-empty"], "utf8"), asked["allow-empty"]) : [];
  const names = readdirSync(asked.dashboards).filter((file) => file.endsWith(".json")).sort();
  if (names.length === 0) {
    throw new Error(`${asked.dashboards} has no dashboards`);
  }
  mkdirSync(asked.out, { recursive: true });
  const prometheus = asked.prometheus.replace(/\/$/, "");
  const server = await serve({ here, modules, dashboards: asked.dashboards, prometheus });
  const chromium = new Chromium(process.env.DRAWN_CHROMIUM);
  const boards = [];
  try {
    for (const name of names.map((file) => basename(file, ".json"))) {
      for (const theme of asked.themes.split(",")) {
        const { account, picture } = await draw(chromium, server.address, name, theme, asked);
        writeFileSync(join(asked.out, `${name}-${theme}.png`), small(picture, UPNG));
        boards.push({ theme, ...account });
      }
    }
  } finally {
    await chromium.close();
    server.close();
  }
  writeFileSync(join(asked.out, "report.json"), `${JSON.stringify(boards, null, 2)}\n`);
  const { refused, accepted } = judge(boards, list);
  const unique = (sentences) => [...new Set(sentences)];
  unique(accepted).forEach((sentence) => console.error(`note: ${sentence}`));
  unique(refused).forEach((sentence) => console.error(sentence));
  const panels = boards.reduce((sum, board) => sum + board.panels.length, 0);
  console.error(`${boards.length} pictures of ${panels} panels in ${asked.out}, ${unique(refused).length} faults`);
  return refused.length > 0 ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`draw: ${error.message}`);
  process.exitCode = 2;
}
