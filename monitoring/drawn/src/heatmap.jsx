// The distribution of a histogram over time. Grafana's own heatmap is a part of its server and no package has it, so this one
// is drawn here, on Grafana's plot: buckets of a cumulative histogram become rows, and counts become colours.
//
// Input: a frame for each bucket (`le`), the panel's options. Output: a plot. Must not know: where the frames come from.

import { getValueFormat, formattedValueToString } from "@grafana/data";
import { UPlotChart, UPlotConfigBuilder, useTheme2 } from "@grafana/ui";
import { interpolateOranges } from "d3-scale-chromatic";
import { useMemo } from "react";

const STEPS = 64;
const LEGEND = 32;

// Rows from the lowest bucket: its upper edge, and what fell into it at each time. Counts are cumulative until here.
export function buckets(frames) {
  const edge = (frame) => Number(frame.fields[1].labels.le.replace("+Inf", "Infinity"));
  const sorted = [...frames].sort((one, other) => edge(one) - edge(other));
  const at = (frame) => new Map(frame.fields[0].values.map((time, i) => [time, frame.fields[1].values[i]]));
  const times = [...new Set(sorted.flatMap((frame) => frame.fields[0].values))].sort((one, other) => one - other);
  let below = new Map();
  const rows = sorted.map((frame) => {
    const here = at(frame);
    const counts = times.map((time) => Math.max(0, (here.get(time) ?? 0) - (below.get(time) ?? 0)));
    below = here;
    return { edge: edge(frame), counts };
  });
  return { times, rows };
}

// Empty rows above the highest and below the lowest value say nothing.
function trimmed(rows) {
  const filled = rows.map(({ counts }) => counts.some((count) => count > 0));
  return rows.slice(Math.max(0, filled.indexOf(true) - 1), filled.lastIndexOf(true) + 2);
}

function scale(options, theme) {
  const { exponent = 0.5, reverse = false } = options.color ?? {};
  const isDarkFirst = theme.isDark !== reverse;
  const colors = Array.from({ length: STEPS }, (_, i) => interpolateOranges(isDarkFirst ? 1 - i / (STEPS - 1) : i / (STEPS - 1)));
  return {
    colors,
    of: (count, most) => colors[Math.min(STEPS - 1, Math.floor((count / most) ** exponent * STEPS))],
  };
}

// An edge with the decimals that it needs.
function shortest(format, value) {
  const exact = Number(format(value, 3).text);
  const decimals = [0, 1, 2].find((count) => Number(format(value, count).text) === exact);
  return format(value, decimals ?? 3);
}

function plot({ times, rows, most, color, step, gap, unit, theme, range, timeZone }) {
  const builder = new UPlotConfigBuilder(timeZone);
  const text = (value) => formattedValueToString(shortest(getValueFormat(unit), value));
  builder.addScale({
    scaleKey: "x",
    isTime: true,
    orientation: 0,
    direction: 1,
    range: () => [range.from.valueOf(), range.to.valueOf()],
  });
  builder.addScale({ scaleKey: "y", isTime: false, orientation: 1, direction: 1, range: () => [0, rows.length] });
  builder.addAxis({ scaleKey: "x", isTime: true, placement: "bottom", timeZone, theme });
  const every = Math.ceil(rows.length / 10);
  builder.addAxis({
    scaleKey: "y",
    placement: "left",
    theme,
    splits: rows.map((_, i) => i + 1).filter((i) => i % every === 0),
    values: (_, splits) => splits.map((i) => (rows[i - 1].edge === Infinity ? "+Inf" : text(rows[i - 1].edge))),
  });
  builder.addSeries({ scaleKey: "y", theme, show: true, pathBuilder: () => null, pointsBuilder: () => null });
  builder.addHook("draw", (u) => {
    u.ctx.save();
    u.ctx.beginPath();
    u.ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
    u.ctx.clip();
    rows.forEach(({ counts }, row) => {
      const bottom = u.valToPos(row, "y", true);
      const top = u.valToPos(row + 1, "y", true);
      counts.forEach((count, i) => {
        if (count > 0) {
          const left = u.valToPos(times[i] - step, "x", true);
          const right = u.valToPos(times[i], "x", true);
          u.ctx.fillStyle = color.of(count, most);
          u.ctx.fillRect(left, top, Math.max(1, right - left - gap), Math.max(1, bottom - top - gap));
        }
      });
    });
    u.ctx.restore();
  });
  builder.setPrepData(() => [times, times.map(() => null)]);
  return builder;
}

function Legend({ colors, most, theme }) {
  const shown = formattedValueToString(getValueFormat("short")(most));
  return (
    <div style={{ display: "flex", gap: 8, alignItems: "center", paddingLeft: 48, fontSize: 12, color: theme.colors.text.secondary }}>
      <span>0</span>
      <div style={{ width: 160, height: 10, background: `linear-gradient(to right, ${colors.join(",")})` }} />
      <span>{shown} in a cell</span>
    </div>
  );
}

export function Heatmap({ panel, frames, width, height, range, timeZone }) {
  const theme = useTheme2();
  const drawn = useMemo(() => {
    const { times, rows } = buckets(frames);
    const kept = trimmed(rows);
    const most = Math.max(...kept.flatMap(({ counts }) => counts));
    const color = scale(panel.options, theme);
    const unit = panel.options.yAxis?.unit ?? panel.fieldConfig.defaults.unit;
    const step = frames[0].fields[0].config.interval;
    const gap = panel.options.cellGap ?? 1;
    const config = plot({ times, rows: kept, most, color, step, gap, unit, theme, range, timeZone });
    return { config, most, color, data: config.prepData([]) };
  }, [frames, panel, theme, range, timeZone]);
  const isExplained = panel.options.legend?.show !== false;
  return (
    <div>
      <UPlotChart config={drawn.config} data={drawn.data} width={width} height={height - (isExplained ? LEGEND : 0)} />
      {isExplained && <Legend colors={drawn.color.colors} most={drawn.most} theme={theme} />}
    </div>
  );
}
