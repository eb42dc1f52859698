"""What all dashboards have in common: variables, links, and how a metric is selected.

Input: title, description and uid. Output: a builder of the Grafana SDK. Must not know: which panels there are.
"""

from grafana_foundation_sdk.builders.dashboard import (
    AnnotationQuery,
    Dashboard,
    DashboardLink,
    DatasourceVariable,
    QueryVariable,
    Row,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

TAG = "adaptive-exam"
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
REPORTED = 'job=~"$job", instance=~"$instance"'
CHOSEN = f'namespace=~"$namespace", {REPORTED}'
RATE = "[$__rate_interval]"


def chosen(metric: str, *matchers: str) -> str:
    """The series of a metric that the variables choose."""
    return f"{metric}{{{', '.join((CHOSEN, *matchers))}}}"


def chosen_everywhere(metric: str, *matchers: str) -> str:
    """The same of series whose label namespace is that of what they tell about, not of whoever tells it."""
    return f"{metric}{{{', '.join((REPORTED, *matchers))}}}"


def rate(metric: str, *matchers: str) -> str:
    """Its increase per second."""
    return f"rate({chosen(metric, *matchers)}{RATE})"


def increase(metric: str, *matchers: str) -> str:
    """Its increase since the last point."""
    return f"increase({chosen(metric, *matchers)}{RATE})"


def quantile(share: float, histogram: str, *labels: str, matchers: tuple[str, ...] = ()) -> str:
    """A quantile of a histogram, for each value of the labels."""
    by = ", ".join(("le", *labels))
    return f"histogram_quantile({share}, sum by ({by}) ({rate(histogram + '_bucket', *matchers)}))"


def mean(histogram: str, *labels: str) -> str:
    """The mean of what a histogram has observed, for each value of the labels."""
    by = f" by ({', '.join(labels)})" if labels else ""
    return f"sum{by} ({rate(histogram + '_sum')}) / sum{by} ({rate(histogram + '_count')})"


def board(uid: str, title: str, description: str, metrics: str) -> Dashboard:
    """A dashboard without panels. `metrics` is a regular expression: jobs and instances that have them can be chosen."""
    source = DatasourceVariable("datasource").label("Data source").type("prometheus").multi(False)
    # Without a namespace, metrics come from services outside of Kubernetes.
    namespace = choice("namespace", "Namespace", f'{{__name__=~"{metrics}"}}').all_value(".*")
    # "All" stands for the jobs that have these metrics, not for every job: process_* comes from others, too.
    job = choice("job", "Job", f'{{__name__=~"{metrics}", namespace=~"$namespace"}}')
    within = f'{{__name__=~"{metrics}", namespace=~"$namespace", job=~"$job"}}'
    instance = choice("instance", "Instance", within)
    return (
        Dashboard(title)
        .uid(f"adaptive-exam-{uid}")
        .description(description)
        .tags([TAG])
        .readonly()
        .version(1)
        .timezone("browser")
        .time("now-1h", "now")
        .refresh("30s")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .variables([source, namespace, job, instance])
        .link(others())
    )


def choice(name: str, label: str, series: str) -> QueryVariable:
    """A variable with the values of a label; several can be chosen."""
    everything = VariableOption(selected=True, text="All", value="$__all")
    return (
        QueryVariable(name)
        .label(label)
        .query({"query": f"label_values({series}, {name})", "refId": f"variable-{name}"})
        .datasource(SOURCE)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .current(everything)
    )


def others() -> DashboardLink:
    """A menu with the other dashboards, which keep time and variables."""
    return (
        DashboardLink("Adaptive exams")
        .type(DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .include_vars(True)
        .keep_time(True)
    )


def marks(name: str, expression: str, color: str) -> AnnotationQuery:
    """Marks where an expression has a value."""
    return AnnotationQuery().name(name).datasource(SOURCE).expr(expression).icon_color(color).enable(True)


def adoptions() -> AnnotationQuery:
    """Marks where a process has adopted other Settings, or another version has started, beside what was there before."""
    info = "adaptive_exam_build_info"
    revisions = f"count by (settings_revision, version) ({chosen(info)})"
    earlier = f"count by (settings_revision, version) ({chosen(info)} offset 2m)"
    return marks("Settings or version adopted", f"{revisions} unless {earlier} and on () {earlier}", "blue")


def lay_out(made: Dashboard, rows: dict[str, list]) -> Dashboard:
    """The dashboard with these rows of panels, from the top; ids count from 1."""
    number = 0
    for title, panels in rows.items():
        number += 1
        made = made.with_row(Row(title).id(number))
        for panel in panels:
            number += 1
            made = made.with_panel(panel.id(number))
    return made
