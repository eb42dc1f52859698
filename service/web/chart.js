// The ability after each answer, as a chart and as a table.

import { byId, element, svg } from './elements.js';
import { decimals, text } from './words.js';

const NORMAL_95 = 1.96;

/** Estimates by number of answers, as points in order: `{x, y, low, high, standardError}`. */
function coursePoints(course) {
  return Object.entries(course).map(([answered, [theta, standardError]]) => {
    const reach = NORMAL_95 * standardError;
    return { x: Number(answered), y: theta, low: theta - reach, high: theta + reach, standardError };
  }).sort((one, other) => one.x - other.x);
}

export function showCourse(course) {
  const points = coursePoints(course);
  byId('course').hidden = points.length === 0;
  if (points.length === 0) return;
  byId('course-rows').replaceChildren(...points.map(courseRow));
  drawChart(points);
}

function courseRow({ x, y, low, high, standardError }) {
  const cells = [y, standardError, low, high].map((value) => element('td', {}, decimals(value, 2)));
  return element('tr', {}, element('th', { scope: 'row' }, String(x)), ...cells);
}

/** Draws at the width there is, so that its texts keep their size on a narrow screen. */
function drawChart(points) {
  const width = Math.max(byId('chart').clientWidth, 240);
  const height = Math.round(Math.min(width * 0.6, 320));
  const box = { left: 40, right: width - 12, top: 24, bottom: height - 40 };
  const rows = ticks(Math.min(...points.map(({ low }) => low)), Math.max(...points.map(({ high }) => high)), 6);
  const last = points.at(-1).x;
  const columns = ticks(1, Math.max(last, 2), width < 400 ? 5 : 10).filter((x) => Number.isInteger(x) && x >= 1);
  const atX = scale(points[0].x, last, box.left + 8, box.right - 8);
  const atY = scale(rows[0], rows.at(-1), box.bottom, box.top);
  byId('chart').replaceChildren(svg('svg', {
    viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': chartText(points),
  }, ...gridRows(rows, box, atY), ...gridColumns(columns.filter((x) => x >= points[0].x && x <= last), box, atX),
  axisName(text('course.answers'), (box.left + box.right) / 2, height - 4, 'middle'), axisName(text('course.ability'), 2, 13, 'start'),
  ...chartMarks(points, atX, atY)));
}

function chartText(points) {
  const { x, y, low, high } = points.at(-1);
  const [ability, from, to] = [y, low, high].map((value) => decimals(value, 2));
  return text('course.text', { answers: x, ability, low: from, high: to });
}

function chartMarks(points, atX, atY) {
  const line = points.map(({ x, y }) => `${atX(x)},${atY(y)}`);
  const upper = points.map(({ x, high }) => `${atX(x)},${atY(high)}`);
  const lower = points.map(({ x, low }) => `${atX(x)},${atY(low)}`).reverse();
  const radius = points.length > 60 ? 1.5 : 3.5;
  const dots = points.map(({ x, y }) => svg('circle', { class: 'point', cx: atX(x), cy: atY(y), r: radius }));
  return [
    svg('polygon', { class: 'band', points: [...upper, ...lower].join(' ') }),
    svg('polyline', { class: 'line', points: line.join(' ') }),
    ...dots,
  ];
}

function gridRows(values, box, atY) {
  const places = values.some((value) => !Number.isInteger(value)) ? 1 : 0;
  return values.flatMap((value) => [
    svg('line', { class: 'grid', x1: box.left, x2: box.right, y1: atY(value), y2: atY(value) }),
    svg('text', { x: box.left - 6, y: atY(value) + 4, 'text-anchor': 'end' }, decimals(value, places)),
  ]);
}

function gridColumns(values, box, atX) {
  return values.map((value) => svg('text', { x: atX(value), y: box.bottom + 18, 'text-anchor': 'middle' }, String(value)));
}

function axisName(name, x, y, anchor) {
  return svg('text', { x, y, 'text-anchor': anchor }, name);
}

/** Maps values to places; all to the middle if there is but one value. */
function scale(from, to, start, end) {
  if (from === to) return () => (start + end) / 2;
  return (value) => Math.round((start + ((value - from) / (to - from)) * (end - start)) * 100) / 100;
}

/** Round values, at most about `count`, that enclose a range. */
function ticks(low, high, count) {
  const rough = (high - low || 1) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toFixed(6)));
}

/** Draws the chart again, at the width there is now. */
export function redrawCourse(course) {
  const points = coursePoints(course);
  if (points.length > 0) drawChart(points);
}
