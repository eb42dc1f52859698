// What makes a drawing fail, and what a file may allow.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { allowed, faults, judge } from "../verdict.mjs";

const panel = (more = {}) => ({
  id: 1,
  title: "Requests",
  type: "timeseries",
  unit: "reqps",
  series: 2,
  points: 20,
  legend: ["a", "b"],
  targets: [{ ref: "A", points: 20 }],
  ...more,
});
const boards = (...panels) => [{ name: "service", panels }];

test("a panel with data, unit and legend has no fault", () => {
  assert.deepEqual(faults(panel()), []);
});

for (const [name, more, said] of [
  ["without points", { points: 0, series: 0, legend: [] }, "no data"],
  ["with a query without points", { targets: [{ ref: "A", points: 20 }, { ref: "B", points: 0 }] }, "query B has no data"],
  ["without a unit", { unit: null }, "no unit"],
  ["without a legend", { legend: [] }, "a series without a legend"],
  ["with an empty name", { legend: ["a", " "] }, "a series without a legend"],
  ["with one name for two series", { legend: ["a", "a"] }, 'several series have the legend "a"'],
  ["with an error", { error: "bad_data: parse error", points: 0, series: 0, legend: [] }, "bad_data: parse error"],
]) {
  test(`a panel ${name} is told`, () => {
    assert.deepEqual(faults(panel(more)), [said]);
    assert.deepEqual(judge(boards(panel(more)), []).refused, [`service/Requests: ${said}`]);
  });
}

test("rows of a table may have the same legend", () => {
  assert.deepEqual(faults(panel({ type: "table", legend: ["a", "a"] })), []);
});

test("a named panel is noted with its reason and does not fail", () => {
  const list = allowed("# why\n\nservice/Requests: nobody has asked: yet\n", "quiet.txt");
  const { refused, accepted } = judge(boards(panel({ points: 0, series: 0, legend: [] })), list);
  assert.deepEqual(refused, []);
  assert.deepEqual(accepted, ["service/Requests: no data (allowed: nobody has asked: yet)"]);
});

test("a name without a panel fails, and so does a line without a reason", () => {
  const list = allowed("service/Request: a typo", "quiet.txt");
  assert.deepEqual(judge(boards(panel()), list).refused, ['quiet.txt:1: the dashboard service has no panel "Request"']);
  assert.throws(() => allowed("service/Requests", "quiet.txt"), /quiet\.txt:1/);
});

test("a dashboard that was not drawn fails", () => {
  assert.deepEqual(judge([{ name: "service", error: "no answer", panels: [] }], []).refused, ["service: no answer"]);
});

test("the panels that are empty while all is well are there", () => {
  const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");
  for (const { board, title, at } of allowed(read("../quiet.txt"), "quiet.txt")) {
    const { panels } = JSON.parse(read(`../../dashboards/${board}.json`));
    assert.ok(panels.some((one) => one.title === title), at);
  }
});
