// `draw` as a whole, with a small dashboard and a server that answers as Prometheus does. Needs what `run` needs.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "adaptive-exam-drawn."));
let prometheus;
let asked = [];

const panel = (id, type, title, target, more = {}) => ({
  id,
  type,
  title,
  description: "What it shows.",
  gridPos: { x: ((id - 1) % 2) * 12, y: Math.floor((id - 1) / 2) * 8, w: 12, h: 8 },
  fieldConfig: { defaults: { unit: "s" }, overrides: [] },
  options: {},
  targets: [{ refId: "A", ...target }],
  ...more,
});
const stat = { reduceOptions: { calcs: ["lastNotNull"] }, colorMode: "value", graphMode: "area", textMode: "auto", wideLayout: true };
const list = { legend: { showLegend: true, displayMode: "list", placement: "bottom", calcs: [] } };
const BOARD = {
  title: "Small",
  time: { from: "now-10m", to: "now" },
  templating: {
    list: [
      {
        name: "job",
        type: "query",
        includeAll: true,
        current: { value: "$__all" },
        query: { query: "label_values(up, job)" },
      },
    ],
  },
  panels: [
    panel(1, "stat", "Now", { expr: 'sum(wave{job=~"$job"})', legendFormat: "now" }, { options: stat }),
    panel(2, "timeseries", "Lines", { expr: 'rate(wave{job=~"$job"}[$__rate_interval])', legendFormat: "{{pod}}" }, { options: list }),
    panel(3, "table", "Rows", { expr: 'wave{job=~"$job"}', legendFormat: "{{pod}}", format: "table", instant: true }),
    panel(4, "heatmap", "Buckets", { expr: 'wave_bucket{job=~"$job"}', legendFormat: "{{le}}", format: "heatmap" }),
  ],
};

// Two series of a wave, their sum, or buckets; nothing for the query "empty".
function answer(url) {
  const { pathname, searchParams } = new URL(url, "http://127.0.0.1");
  if (pathname.includes("/label/")) {
    return ["one", "two"];
  }
  const query = searchParams.get("query");
  asked.push(query);
  if (query.includes("empty")) {
    return { resultType: "matrix", result: [] };
  }
  const buckets = ["0.1", "1", "+Inf"].map((le) => ({ le }));
  const pods = query.startsWith("sum") ? [{}] : [{ pod: "a" }, { pod: "b" }];
  const labels = query.includes("_bucket") ? buckets : pods;
  const at = (time, i) => [time, String(i + 1 + Math.sin(time / 60) / 2)];
  if (pathname.endsWith("query_range")) {
    const [start, end, step] = ["start", "end", "step"].map((name) => Number(searchParams.get(name)));
    const times = Array.from({ length: Math.floor((end - start) / step) + 1 }, (_, n) => start + n * step);
    return { resultType: "matrix", result: labels.map((metric, i) => ({ metric, values: times.map((time) => at(time, i)) })) };
  }
  return { resultType: "vector", result: labels.map((metric, i) => ({ metric, value: at(Number(searchParams.get("time")), i) })) };
}

before(async () => {
  mkdirSync(join(folder, "dashboards"));
  writeFileSync(join(folder, "dashboards/small.json"), JSON.stringify(BOARD));
  prometheus = createServer((request, reply) => reply.end(JSON.stringify({ status: "success", data: answer(request.url) })));
  await new Promise((resolve) => prometheus.listen(0, "127.0.0.1", resolve));
});

after(() => {
  prometheus.close();
  rmSync(folder, { recursive: true });
});

async function draw(...more) {
  asked = [];
  const address = `http://127.0.0.1:${prometheus.address().port}`;
  const given = ["--prometheus", address, "--dashboards", join(folder, "dashboards"), "--out", join(folder, "out"), "--themes", "light"];
  const process_ = spawn(join(here, "../draw"), [...given, ...more]);
  let said = "";
  process_.stderr.on("data", (text) => (said += text));
  const code = await new Promise((resolve) => process_.once("exit", resolve));
  return { code, said, report: JSON.parse(readFileSync(join(folder, "out/report.json"), "utf8"))[0] };
}

test("every kind of panel is drawn and accounted for", async () => {
  const { code, said, report } = await draw();
  assert.equal(code, 0, said);
  assert.deepEqual(asked.filter((query) => query.startsWith("rate")), ['rate(wave{job=~"(one|two)"}[60s])']);
  const lines = report.panels.find(({ title }) => title === "Lines");
  assert.deepEqual([lines.id, lines.unit, lines.series, lines.legend], [2, "s", 2, ["a", "b"]]);
  assert.ok(lines.points >= 2 * 30, `${lines.points}`);
  assert.deepEqual(report.panels.map(({ series }) => series), [1, 2, 2, 3]);
  const picture = readFileSync(join(folder, "out/small-light.png"));
  assert.equal(picture.readUInt32BE(16), 1600, "its width");
  assert.ok(picture.length > 10000, "something is on it");
});

test("a query that gives nothing fails with a sentence, unless it is allowed", async () => {
  const board = structuredClone(BOARD);
  board.panels[1].targets[0].expr = "empty";
  delete board.panels[0].fieldConfig.defaults.unit;
  writeFileSync(join(folder, "dashboards/small.json"), JSON.stringify(board));
  const refused = await draw();
  assert.equal(refused.code, 1, refused.said);
  assert.match(refused.said, /^small\/Lines: no data$/m);
  assert.match(refused.said, /^small\/Now: no unit$/m);

  writeFileSync(join(folder, "allowed.txt"), "small/Lines: a test\nsmall/Now: a test\n");
  const accepted = await draw("--allow-empty", join(folder, "allowed.txt"));
  assert.equal(accepted.code, 0, accepted.said);
  assert.match(accepted.said, /^note: small\/Lines: no data \(allowed: a test\)$/m);
});
