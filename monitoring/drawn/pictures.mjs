// Pictures for the README: the exam page in the middle of an exam, and the terminal demo.
//
// Input: --service PROGRAM --out DIR. Output: exam-page.png, demo.svg. Must not know: dashboards.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { Chromium } from "./chromium.mjs";
import { small } from "./small.mjs";
import { Terminal } from "./terminal.mjs";

const ANSWERS = 7;
const PAGE = { width: 900, height: 680 };
const SCREEN = { columns: 112, rows: 24 };
const SETTINGS = `
[exam_types.algebra]
bank = "sample"
max_items = 20
max_seconds = 1800
students_see = ["score"]
`;

async function freePort() {
  const server = createServer();
  await new Promise((resolved) => server.listen(0, "127.0.0.1", resolved));
  const { port } = server.address();
  await new Promise((resolved) => server.close(resolved));
  return port;
}

// The service on loopback, with its files in a folder that is removed.
async function served(program, use) {
  const folder = mkdtempSync(join(tmpdir(), "adaptive-exam-page."));
  const [api, ops] = [await freePort(), await freePort()].map((port) => `127.0.0.1:${port}`);
  writeFileSync(join(folder, "settings.toml"), SETTINGS);
  const service = spawn(program, ["serve", "--settings", "settings.toml", "--api", api, "--ops", ops], { cwd: folder, stdio: "ignore" });
  const ended = new Promise((resolved) => service.once("exit", resolved));
  try {
    for (let attempt = 0; ; attempt++) {
      const isUp = await fetch(`http://${ops}/metrics`).then((reply) => reply.ok, () => false);
      if (isUp) {
        break;
      }
      if (attempt === 100 || service.exitCode !== null) {
        throw new Error(`${program} serve does not answer at ${ops}`);
      }
      await new Promise((resolved) => setTimeout(resolved, 100));
    }
    await use(`http://${api}/`);
  } finally {
    service.kill();
    await ended;
    rmSync(folder, { recursive: true, force: true });
  }
}

async function post(address, path, body) {
  const headers = { "content-type": "application/json" };
  const reply = await fetch(`${address}api/adaptive/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  if (!reply.ok) {
    throw new Error(`${path}: ${reply.status} ${await reply.text()}`);
  }
  return reply.json();
}

// Right choices, counted from 0: the same answers lead to the same items, so the key of the next item is found by trying.
async function rightChoices(address) {
  const known = [];
  for (let tried = 0; known.length <= ANSWERS; ) {
    let { exam_session_id, item } = await post(address, "start", { exam_type: "algebra" });
    let isRight;
    for (const place of [...known, tried]) {
      const answer = await post(address, "answer", { exam_session_id, item_id: item.id, choice: item.choices[place].id });
      ({ item, correct: isRight } = answer);
    }
    if (isRight) {
      known.push(tried);
    }
    tried = isRight ? 0 : tried + 1;
  }
  return known;
}

async function click(chromium, selector) {
  const place = `(({ x, y, width, height }) => ({ x: x + width / 2, y: y + height / 2 }))(document.querySelector(${JSON.stringify(selector)}).getBoundingClientRect())`;
  await chromium.click(await chromium.evaluate(place));
}

async function takeExam(chromium, address) {
  const right = await rightChoices(address);
  await chromium.open(address, PAGE.width, PAGE.height);
  await chromium.until("document.getElementById('start')?.hidden === false", 20);
  await click(chromium, "#start-form button");
  for (let answered = 0; answered <= ANSWERS; answered++) {
    await chromium.until(`document.getElementById('question')?.hidden === false && document.getElementById('progress').value === ${answered}`, 20);
    await click(chromium, `#choices > :nth-child(${right[answered] + 1}) input`);
    if (answered < ANSWERS) {
      await click(chromium, "#submit-choice");
    }
  }
  return chromium.picture();
}

async function main() {
  const { values } = parseArgs({ options: { service: { type: "string" }, out: { type: "string", default: "docs/pictures" } } });
  if (!values.service) {
    throw new Error("--service has to be the program exam-service");
  }
  const program = resolve(values.service);
  const require = createRequire(join(process.env.DRAWN_MODULES, "package.json"));
  mkdirSync(values.out, { recursive: true });

  const chromium = new Chromium(process.env.DRAWN_CHROMIUM);
  try {
    await served(program, async (address) => {
      const picture = await takeExam(chromium, address);
      writeFileSync(join(values.out, "exam-page.png"), small(picture, require("upng-js")));
    });
  } finally {
    await chromium.close();
  }

  const { Terminal: Emulator } = require("@xterm/headless");
  const terminal = new Terminal(Emulator, `'${program}' demo --auto --theta 1.5 --pace 150`, SCREEN.columns, SCREEN.rows);
  try {
    await terminal.until("item 16 of", 30);
    writeFileSync(join(values.out, "demo.svg"), terminal.svg("exam-service demo: an exam in the terminal"));
    terminal.type("q");
  } finally {
    terminal.end();
  }
  console.error(`exam-page.png and demo.svg in ${values.out}`);
}

try {
  await main();
} catch (error) {
  console.error(`pictures: ${error.message}`);
  process.exitCode = 2;
}
