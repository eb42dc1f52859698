// The data of a dashboard: variables, the answer to each target of each panel, annotations, and an account of all.
//
// Input: the dashboard's JSON, times, the width of the page. Output: what is drawn and reported. Must not know: React.

import { dateTime, rangeUtil } from "@grafana/data";
import { frames, legend } from "./frames.js";
import { labelValues, now, overTime } from "./prometheus.js";
import { isDrawn } from "./panels.jsx";
import { fill, resolve, times } from "./variables.js";

export const COLUMNS = 24;
const SECOND = 1000;

export function timeRange({ from, to }) {
  const [start, end] = [dateTime(from * SECOND), dateTime(to * SECOND)];
  return { from: start, to: end, raw: { from: start, to: end } };
}

// Seconds between points: as many points as the panel has pixels, and at least the interval of scrapes.
function stepOf(panel, range, { scrape, width }) {
  const pixels = Math.floor((width * panel.gridPos.w) / COLUMNS);
  const { intervalMs } = rangeUtil.calculateInterval(timeRange(range), panel.maxDataPoints ?? pixels, `${scrape}s`);
  return Math.max(1, intervalMs / SECOND);
}

async function answer(panel, target, variables, range, asked) {
  const step = stepOf(panel, range, asked);
  const all = { ...variables, ...times(range.to - range.from, step, asked.scrape) };
  const query = fill(target.expr, all);
  try {
    const series = target.instant ? await now(query, range) : await overTime(query, { ...range, step });
    return { target, step, query, series };
  } catch (error) {
    return { target, step, query, series: [], error: error.message };
  }
}

// What the report says of one target. Numbers count; NaN is drawn by nobody.
function account({ target, query, series, error }) {
  const numbers = series.flatMap(({ values }) => values.filter((value) => !Number.isNaN(value)));
  return {
    ref: target.refId,
    query,
    series: series.length,
    points: numbers.length,
    legend: target.legendFormat ? series.map(({ labels }) => legend(target.legendFormat, labels)) : [],
    ...(error && { error }),
  };
}

async function fillPanel(panel, variables, range, asked, theme) {
  const said = { id: panel.id, title: panel.title, type: panel.type, description: panel.description ?? "" };
  const unit = panel.fieldConfig?.defaults?.unit ?? null;
  const empty = { ...said, unit, series: 0, points: 0, legend: [], targets: [] };
  try {
    if (!isDrawn(panel.type)) {
      throw new Error(`panels of type ${panel.type} are not drawn`);
    }
    const answers = await Promise.all(panel.targets.map((target) => answer(panel, target, variables, range, asked)));
    const targets = answers.map(account);
    const sum = (key) => targets.reduce((total, target) => total + target[key], 0);
    const error = targets.map((target) => target.error).find(Boolean);
    const report = { ...empty, series: sum("series"), points: sum("points"), legend: targets.flatMap((one) => one.legend), targets };
    const isEmpty = answers.every(({ series }) => series.length === 0);
    const drawn = isEmpty ? {} : await frames(panel, answers.filter(({ series }) => series.length > 0), theme, asked.timeZone);
    return { panel, report: { ...report, ...(error && { error }) }, ...drawn };
  } catch (error) {
    return { panel, report: { ...empty, error: error.message } };
  }
}

// Where an annotation's expression has a value: neighbouring points are one mark.
async function marks(board, variables, range, asked) {
  const whole = { gridPos: { w: COLUMNS } };
  const found = (board.annotations?.list ?? []).filter(({ enable, expr }) => enable && expr);
  const all = await Promise.all(
    found.map(async ({ name, expr, iconColor }) => {
      const { series, step, error } = await answer(whole, { expr }, variables, range, asked);
      if (error) {
        throw new Error(`the annotation ${name}: ${error}`);
      }
      return series.flatMap((one) =>
        one.times.reduce((runs, time) => {
          const last = runs.at(-1);
          if (last && time - last.to <= step * SECOND) {
            last.to = time;
            return runs;
          }
          return [...runs, { name, color: iconColor, from: time, to: time }];
        }, []),
      );
    }),
  );
  return all.flat();
}

// Panels in a collapsed row are in the row.
const spread = (panels) => panels.flatMap((panel) => [panel, ...(panel.panels ?? [])]);

export async function load(board, asked, theme) {
  const { range } = asked;
  const ask = (series, label) => labelValues(label, series, range);
  const { shown, values } = await resolve(board, ask, asked.given);
  const rows = spread(board.panels).filter(({ type }) => type === "row");
  const others = spread(board.panels).filter(({ type }) => type !== "row");
  const panels = await Promise.all(others.map((panel) => fillPanel(panel, values, range, asked, theme)));
  return { shown, rows, panels, marks: await marks(board, values, range, asked) };
}
