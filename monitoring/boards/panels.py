"""The kinds of panel that dashboards consist of. A target is a query and its legend.

Input: title, description, unit, targets. Output: builders of the Grafana SDK. Must not know: metrics.
"""

from grafana_foundation_sdk.builders.common import (
    ReduceDataOptions,
    StackingConfig,
    VizLegendOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.builders.heatmap import Panel as Heatmap
from grafana_foundation_sdk.builders.heatmap import YAxisConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.table import Panel as Table
from grafana_foundation_sdk.builders.timeseries import Panel as Timeseries
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from .board import SOURCE

Target = tuple[str, str]
GREEN, YELLOW, RED = "green", "yellow", "red"
HEIGHT = 8
YES_AND_NO = {"1": ("yes", GREEN), "0": ("no", RED)}


def query(target: Target, ref: int, instant: bool = False) -> Dataquery:
    expression, legend = target
    made = Dataquery().expr(expression).legend_format(legend).ref_id(chr(ord("A") + ref)).datasource(SOURCE)
    return made.instant() if instant else made.range()


def steps(*limits: tuple[float, str]) -> ThresholdsConfig:
    """Colours from these values on; below the first it is green."""
    levels = [Threshold(value=None, color=GREEN)] + [Threshold(value=at, color=color) for at, color in limits]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(levels)


def series(
    title: str,
    description: str,
    unit: str,
    *targets: Target,
    width: int = 8,
    soft_max: float | None = None,
    colours: dict[str, str] | None = None,
) -> Timeseries:
    """Lines over time. The axis reaches at least to `soft_max`; without it, a line at 0 has one to 100. Lines that `colours` names
    have its colour, for a colour that tells of trouble has to be the line's that does."""
    panel = (
        Timeseries()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .min(0)
        .height(HEIGHT)
        .span(width)
        .fill_opacity(8)
        .line_width(1)
        .show_points(VisibilityMode.NEVER)
        .legend(VizLegendOptions().show_legend(True).display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM))
        .tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    )
    if soft_max is not None:
        panel = panel.axis_soft_max(soft_max)
    for name, colour in (colours or {}).items():
        panel = panel.override_by_name(name, [DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})])
    for ref, target in enumerate(targets):
        panel = panel.with_target(query(target, ref))
    return panel


def bars(title: str, description: str, unit: str, *targets: Target, width: int = 8) -> Timeseries:
    """Stacked bars over time, for counts."""
    panel = series(title, description, unit, *targets, width=width, soft_max=1 if unit == "short" else None)
    return panel.draw_style(GraphDrawStyle.BARS).fill_opacity(60).stacking(StackingConfig().mode(StackingMode.NORMAL))


def stat(
    title: str,
    description: str,
    unit: str,
    target: Target,
    *limits: tuple[float, str],
    words: dict[str, tuple[str, str]] | None = None,
    width: int = 4,
) -> Stat:
    """The latest value, with its colour, or with words for its values."""
    panel = (
        Stat()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .height(4)
        .span(width)
        .graph_mode(BigValueGraphMode.NONE if words else BigValueGraphMode.AREA)
        .color_mode(BigValueColorMode.VALUE)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(steps(*limits))
        .with_target(query(target, 0))
    )
    if words:
        said = {value: ValueMappingResult(text=text, color=color, index=i) for i, (value, (text, color)) in enumerate(words.items())}
        panel = panel.mappings([ValueMap(options=said)])
    return panel


def heatmap(title: str, description: str, unit: str, target: Target, width: int = 12) -> Heatmap:
    """The distribution of a histogram over time, from the increase of its buckets."""
    return (
        Heatmap()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .height(HEIGHT)
        .span(width)
        .calculate(False)
        .y_axis(YAxisConfig().unit(unit))
        .with_target(query(target, 0).format(PromQueryFormat.HEATMAP))
    )


def table(title: str, description: str, target: Target, columns: dict[str, str], width: int = 12) -> Table:
    """The labels of the latest series, as columns with these headings."""
    organize = DataTransformerConfig(
        id_val="organize",
        options={
            "indexByName": {label: place for place, label in enumerate(columns)},
            "renameByName": columns,
            "includeByName": {label: True for label in columns},
        },
    )
    return (
        Table()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit("short")
        .height(HEIGHT)
        .span(width)
        .with_target(query(target, 0, instant=True).format(PromQueryFormat.TABLE))
        .transformations([organize])
    )
