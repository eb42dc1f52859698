// One panel, by its type, drawn with Grafana's components.
//
// Input: the panel's JSON and frames. Output: React elements. Must not know: Prometheus, the page.

import { FieldColorModeId, FieldType, getDisplayValueAlignmentFactors, getFieldDisplayValues } from "@grafana/data";
import { BigValue, TimeSeries, useTheme2, VizRepeater } from "@grafana/ui";
import { TableNG } from "@grafana/ui/unstable";
import { useMemo } from "react";
import { Heatmap } from "./heatmap.jsx";

const NO_LEGEND = { showLegend: false, displayMode: "hidden", placement: "bottom", calcs: [] };
const MARK = 4;

// Annotations as Grafana draws them: a dashed line where one begins, a tint until it ends, a triangle on the axis.
function addMarks(builder, marks) {
  if (builder.hasMarks) {
    return;
  }
  builder.hasMarks = true;
  builder.addHook("draw", (u) => {
    const { ctx, bbox } = u;
    for (const { from, to, color } of marks) {
      const left = u.valToPos(from, "x", true);
      const right = u.valToPos(to, "x", true);
      ctx.save();
      ctx.beginPath();
      ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height + MARK);
      ctx.clip();
      ctx.fillStyle = color;
      ctx.globalAlpha = 0.08;
      ctx.fillRect(left, bbox.top, right - left, bbox.height);
      ctx.globalAlpha = 1;
      ctx.fillRect(left, bbox.top + bbox.height, Math.max(right - left, 1), MARK);
      ctx.strokeStyle = color;
      ctx.setLineDash([5, 5]);
      ctx.beginPath();
      ctx.moveTo(left, bbox.top);
      ctx.lineTo(left, bbox.top + bbox.height);
      ctx.stroke();
      ctx.restore();
    }
  });
}

// Lines have gaps where there is no finite number, as in Grafana.
const finite = (value) => (Number.isFinite(value) ? value : null);
const gaps = (frames) =>
  frames.map((frame) => ({
    ...frame,
    fields: frame.fields.map((field) => (field.type === FieldType.number ? { ...field, values: field.values.map(finite) } : field)),
  }));

function Lines({ panel, frames, width, height, range, timeZone, marks }) {
  const theme = useTheme2();
  const drawn = useMemo(() => gaps(frames), [frames]);
  const visible = marks.map((mark) => ({ ...mark, color: theme.visualization.getColorByName(mark.color) }));
  return (
    <TimeSeries
      frames={drawn}
      structureRev={1}
      timeRange={range}
      timeZone={timeZone}
      width={width}
      height={height}
      legend={panel.options.legend ?? NO_LEGEND}
      options={panel.options}
    >
      {(builder) => {
        addMarks(builder, visible);
        return null;
      }}
    </TimeSeries>
  );
}

function Stat({ panel, frames, fieldConfig, width, height, timeZone }) {
  const theme = useTheme2();
  const { options } = panel;
  const values = () =>
    getFieldDisplayValues({
      data: frames,
      fieldConfig,
      reduceOptions: options.reduceOptions,
      replaceVariables: (text) => text,
      sparkline: options.graphMode !== "none",
      theme,
      timeZone,
    });
  return (
    <VizRepeater
      getValues={values}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value, width: w, height: h, alignmentFactors, count }) => (
        <BigValue
          value={value.display}
          count={count}
          sparkline={value.sparkline && { ...value.sparkline, y: colored(value.sparkline.y) }}
          colorMode={options.colorMode}
          graphMode={options.graphMode}
          justifyMode={options.justifyMode}
          textMode={options.textMode}
          alignmentFactors={alignmentFactors}
          disableWideLayout={!options.wideLayout}
          theme={theme}
          width={w}
          height={h}
        />
      )}
      width={width}
      height={height}
      source={frames}
      autoGrid
      renderCounter={0}
      orientation={options.orientation}
    />
  );
}

const colored = (field) => ({ ...field, config: { ...field.config, color: field.config.color ?? { mode: FieldColorModeId.Thresholds } } });

function Rows({ panel, frames, width, height }) {
  return <TableNG data={frames[0]} width={width} height={height} initialSortBy={panel.options?.sortBy} fieldConfig={panel.fieldConfig} />;
}

const TYPES = { timeseries: Lines, stat: Stat, table: Rows, heatmap: Heatmap };

export const isDrawn = (type) => type in TYPES;

export function Panel(props) {
  const Drawn = TYPES[props.panel.type];
  return <Drawn {...props} />;
}
