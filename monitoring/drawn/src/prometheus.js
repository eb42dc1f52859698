// Asks Prometheus, through the program that serves this page.
//
// Input: queries without variables. Output: what Prometheus answers, with numbers in place of texts. Must not know: panels.

async function get(path, parameters) {
  const reply = await fetch(`/prometheus/api/v1/${path}?${new URLSearchParams(parameters)}`);
  const body = await reply.text();
  let answer;
  try {
    answer = JSON.parse(body);
  } catch {
    throw new Error(`Prometheus answers ${reply.status}: ${body.slice(0, 200)}`);
  }
  if (answer.status !== "success") {
    throw new Error(`Prometheus: ${answer.error}`);
  }
  return answer.data;
}

export function labelValues(label, series, range) {
  return get(`label/${label}/values`, { "match[]": series, start: range.from, end: range.to });
}

const series = ({ metric, values }) => ({
  labels: metric,
  times: values.map(([time]) => time * 1000),
  values: values.map(([, value]) => number(value)),
});

// Prometheus writes +Inf, -Inf and NaN, too.
function number(text) {
  return text.endsWith("Inf") ? (text.startsWith("-") ? -Infinity : Infinity) : Number(text);
}

// Points of each series, at multiples of the step, as Grafana asks for them.
export async function overTime(query, { from, to, step }) {
  const start = Math.floor(from / step) * step;
  const end = Math.floor(to / step) * step;
  const { result } = await get("query_range", { query, start, end, step });
  return result.map(series);
}

// The last point of each series.
export async function now(query, { to }) {
  const { resultType, result } = await get("query", { query, time: to });
  if (resultType === "scalar") {
    return [series({ metric: {}, values: [result] })];
  }
  return result.map(({ metric, value }) => series({ metric, values: [value] }));
}
