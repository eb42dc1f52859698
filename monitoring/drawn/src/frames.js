// Answers as Grafana's data frames: names of series by the legend, then transformations, then the panel's field options.
//
// Input: series of each target, the panel's JSON. Output: frames that panels draw. Must not know: Prometheus.

import {
  applyFieldOverrides,
  cacheFieldDisplayNames,
  FieldColorModeId,
  FieldConfigOptionsRegistry,
  FieldType,
  identityOverrideProcessor,
  standardTransformers,
  standardTransformersRegistry,
  toDataFrame,
  transformDataFrame,
} from "@grafana/data";
import { lastValueFrom } from "rxjs";

// What Grafana's panels set where a dashboard is silent.
const COLORS = { timeseries: FieldColorModeId.PaletteClassic, heatmap: FieldColorModeId.PaletteClassic };
const THRESHOLDS = { mode: "absolute", steps: [{ value: -Infinity, color: "green" }, { value: 80, color: "red" }] };
const CUSTOM = {
  timeseries: {
    drawStyle: "line",
    lineInterpolation: "linear",
    lineWidth: 1,
    fillOpacity: 0,
    gradientMode: "none",
    spanNulls: false,
    showPoints: "auto",
    pointSize: 5,
    stacking: { mode: "none", group: "A" },
    axisPlacement: "auto",
    barAlignment: 0,
    barWidthFactor: 0.6,
    thresholdsStyle: { mode: "off" },
  },
  table: { align: "auto", cellOptions: { type: "auto" } },
};

// Some are listed under two names.
const TRANSFORMERS = new Map(Object.values(standardTransformers).map((one) => [one.id, one]));
standardTransformersRegistry.setInit(() =>
  [...TRANSFORMERS.values()].map((one) => ({ id: one.id, name: one.name, transformation: async () => one })),
);

// The name of a series: the legend with labels in its place. Without one Grafana writes all labels.
export function legend(format, labels) {
  if (format) {
    return format.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label) => labels[label] ?? "");
  }
  const { __name__: name = "", ...others } = labels;
  const written = Object.entries(others).map(([label, value]) => `${label}="${value}"`);
  return `${name}{${written.join(", ")}}`;
}

function lines({ target, series, step }) {
  return series.map(({ labels, times, values }) =>
    toDataFrame({
      refId: target.refId,
      meta: { type: "timeseries-multi" },
      fields: [
        { name: "Time", type: FieldType.time, values: times, config: { interval: step * 1000 } },
        {
          name: "Value",
          type: FieldType.number,
          values,
          labels,
          config: { displayNameFromDS: legend(target.legendFormat, labels) },
        },
      ],
    }),
  );
}

function rows({ target, series }) {
  const labels = [...new Set(series.flatMap((one) => Object.keys(one.labels)))].sort();
  return [
    toDataFrame({
      refId: target.refId,
      fields: [
        { name: "Time", type: FieldType.time, values: series.map((one) => one.times[0]) },
        ...labels.map((name) => ({
          name,
          type: FieldType.string,
          values: series.map((one) => one.labels[name] ?? ""),
        })),
        { name: "Value", type: FieldType.number, values: series.map((one) => one.values[0]) },
      ],
    }),
  ];
}

// Each option of the panel, by its path, so that Grafana applies it. Without its server Grafana has no list of options.
function registry(defaults, overrides) {
  const leaf = (value) => value === null || typeof value !== "object" || Array.isArray(value);
  const custom = Object.keys(defaults.custom).map((key) => `custom.${key}`);
  const plain = Object.keys(defaults).filter((key) => key !== "custom");
  const deep = overrides.flatMap(({ properties }) => properties.filter(({ value }) => leaf(value)).map(({ id }) => id));
  const paths = new Set([...plain, ...custom, ...deep, ...overrides.flatMap(({ properties }) => properties.map(({ id }) => id))]);
  const found = new FieldConfigOptionsRegistry();
  for (const id of paths) {
    const isCustom = id.startsWith("custom.");
    found.register({
      id,
      path: isCustom ? id.slice("custom.".length) : id,
      name: id,
      isCustom,
      process: identityOverrideProcessor,
      override: identityOverrideProcessor,
      shouldApply: () => true,
      settings: {},
    });
  }
  return found;
}

export async function frames(panel, answers, theme, timeZone) {
  const made = answers.flatMap((answer) => (answer.target.format === "table" ? rows(answer) : lines(answer)));
  const changed = panel.transformations?.length
    ? await lastValueFrom(transformDataFrame(panel.transformations, made, { interpolate: (text) => text }))
    : made;
  const { defaults, overrides = [] } = panel.fieldConfig;
  const steps = defaults.thresholds?.steps.map((step) => ({ ...step, value: step.value ?? -Infinity }));
  const complete = {
    color: { mode: COLORS[panel.type] ?? FieldColorModeId.Thresholds },
    ...defaults,
    thresholds: steps ? { ...defaults.thresholds, steps } : THRESHOLDS,
    custom: { ...CUSTOM[panel.type], ...defaults.custom },
  };
  const fieldConfig = { defaults: complete, overrides };
  const drawn = applyFieldOverrides({
    data: changed,
    fieldConfig,
    fieldConfigRegistry: registry(complete, overrides),
    replaceVariables: (text) => text,
    theme,
    timeZone,
  });
  cacheFieldDisplayNames(drawn);
  return { frames: drawn, fieldConfig };
}
