// The variables of a dashboard, and the text of a query with their values.
//
// Input: the dashboard's JSON, an answer to "which values has this label", choices of the caller. Output: values and text.
// Must not know: Prometheus' address, panels.

const LABEL_VALUES = /^label_values\((.*),\s*(\w+)\)$/s;
const MEMBER = /\$(?:\{(\w+)(?::\w+)?\}|(\w+))/g;

// A value inside a regular expression inside a PromQL string.
function escaped(value) {
  return value.replace(/[\\^$*+?.()|[\]{}]/g, (found) => (found === "\\" ? "\\\\\\\\" : `\\\\${found}`));
}

// What stands in a query for these values.
function alternatives(values) {
  return values.length === 1 ? escaped(values[0]) : `(${values.map(escaped).join("|")})`;
}

// The text with values in place of variables. An unknown variable is a fault of the dashboard.
export function fill(text, values) {
  return text.replace(MEMBER, (found, braced, bare) => {
    const name = braced ?? bare;
    if (!(name in values)) {
      throw new Error(`the variable ${found} is unknown`);
    }
    return values[name];
  });
}

// Each variable with what is shown of it and what stands in queries. `ask(series, label)` gives the values of a label, and
// `given` has values that the caller chose. Variables may use those before them.
export async function resolve(board, ask, given) {
  const shown = [];
  const values = {};
  for (const variable of board.templating?.list ?? []) {
    const { name, label, type } = variable;
    if (type === "datasource") {
      values[name] = "prometheus";
      shown.push({ name, label, text: "Prometheus", found: ["prometheus"] });
      continue;
    }
    if (type !== "query") {
      throw new Error(`the variable ${name} is of type ${type}, which is not drawn`);
    }
    const query = variable.query?.query ?? variable.query;
    const [, series, of] = LABEL_VALUES.exec(query) ?? [];
    if (!of) {
      throw new Error(`the variable ${name} is not label_values(series, label): ${query}`);
    }
    const found = given[name] ? [given[name]] : await ask(fill(series, values), of);
    const all = !given[name] && variable.includeAll && variable.current?.value === "$__all";
    values[name] = all && variable.allValue ? variable.allValue : alternatives(all ? found : found.slice(0, 1));
    shown.push({ name, label, text: all ? "All" : (found[0] ?? "none"), found });
  }
  return { shown, values };
}

// Grafana's own variables of time, in the units that PromQL reads. All are of seconds.
export function times(range, interval, scrape) {
  const rate = Math.max(interval + scrape, 4 * scrape);
  return {
    __interval: `${interval}s`,
    __interval_ms: `${interval * 1000}`,
    __rate_interval: `${rate}s`,
    __range: `${range}s`,
    __range_s: `${range}`,
    __range_ms: `${range * 1000}`,
  };
}
