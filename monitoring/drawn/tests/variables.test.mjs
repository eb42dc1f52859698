// Values of variables in queries, as Grafana fills them in.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fill, resolve, times } from "../src/variables.js";

const variable = (name, series, more = {}) => ({
  name,
  label: name,
  type: "query",
  includeAll: true,
  current: { value: "$__all" },
  query: { query: `label_values(${series}, ${name})` },
  ...more,
});
const board = (...list) => ({ templating: { list } });

test("a name is replaced in both spellings, and the end of a regular expression is none", () => {
  assert.equal(fill('up{job=~"$job", pod=~"${pod}", path=~"a$"}', { job: "x", pod: "y" }), 'up{job=~"x", pod=~"y", path=~"a$"}');
});

test("a longer name is not mistaken for a shorter one", () => {
  assert.equal(fill("[$__range] $__range_s", { __range: "1h", __range_s: "3600" }), "[1h] 3600");
});

test("an unknown variable is a fault", () => {
  assert.throws(() => fill("up{job=~\"$jbo\"}", { job: "x" }), /\$jbo/);
});

test("All stands for every value, and later variables use earlier ones", async () => {
  const asked = [];
  const values = { namespace: ["school"], instance: ["10.0.0.1:9000", "a|b"] };
  const ask = async (series, label) => {
    asked.push(series);
    return values[label];
  };
  const { values: filled } = await resolve(
    board(variable("namespace", "up"), variable("instance", 'up{namespace=~"$namespace"}')),
    ask,
    {},
  );
  assert.deepEqual(asked, ["up", 'up{namespace=~"school"}']);
  assert.equal(filled.namespace, "school");
  // Inside a PromQL string, a backslash is written twice.
  assert.equal(filled.instance, "(10\\\\.0\\\\.0\\\\.1:9000|a\\\\|b)");
});

test("All may be a text of its own", async () => {
  const { values } = await resolve(board(variable("namespace", "up", { allValue: ".*" })), async () => ["a", "b"], {});
  assert.equal(values.namespace, ".*");
});

test("a chosen value is not asked for", async () => {
  const never = () => assert.fail("asked");
  const { values, shown } = await resolve(board(variable("namespace", "up", { allValue: ".*" })), never, { namespace: "school" });
  assert.equal(values.namespace, "school");
  assert.equal(shown[0].text, "school");
});

test("a rate looks at four scrapes, or at a step and a scrape", () => {
  assert.equal(times(3600, 5, 15).__rate_interval, "60s");
  assert.equal(times(86400, 120, 15).__rate_interval, "135s");
});
