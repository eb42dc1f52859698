// The page: a dashboard as Grafana lays it out, and an account of its panels when it is drawn, as `window.drawn`, as JSON in
// the page, and as its title.
//
// Input: the address' parameters: board, theme, from, to (seconds), scrape (seconds), and a value for any variable. Output:
// the page. Must not know: how panels are drawn.

import "uplot/dist/uPlot.min.css";
import { createTheme, dateTimeFormat, ThemeContext } from "@grafana/data";
import { GlobalStyles, Icon, PanelChrome, PanelContextProvider } from "@grafana/ui";
import { EventBusSrv } from "@grafana/data";
import { initPluginTranslations } from "@grafana/i18n";
import { Component } from "react";
import { flushSync } from "react-dom";
import { createRoot } from "react-dom/client";
import { COLUMNS, load, timeRange } from "./data.js";
import { Panel } from "./panels.jsx";

const CELL = 30;
const GAP = 8;
const MARGIN = 16;
const TIME_ZONE = "utc";

const failures = new Map();

// A panel that cannot be drawn is reported, and the others are drawn.
class Guard extends Component {
  state = {};
  static getDerivedStateFromError(error) {
    return { error };
  }
  componentDidCatch(error) {
    failures.set(this.props.id, error.message);
  }
  render() {
    return this.state.error ? <Empty text={this.state.error.message} /> : this.props.children;
  }
}

const Empty = ({ text }) => (
  <div style={{ height: "100%", display: "flex", alignItems: "center", justifyContent: "center", opacity: 0.7 }}>{text}</div>
);

function place({ x, y, w, h }, width) {
  const column = (width + GAP) / COLUMNS;
  return {
    left: Math.round(x * column),
    top: y * (CELL + GAP),
    width: Math.round((x + w) * column) - Math.round(x * column) - GAP,
    height: h * CELL + (h - 1) * GAP,
  };
}

function Tile({ drawn, width, range, marks }) {
  const { panel, report, frames, fieldConfig } = drawn;
  const at = place(panel.gridPos, width);
  const inner = { panel, frames, fieldConfig, range, marks, timeZone: TIME_ZONE };
  return (
    <div style={{ position: "absolute", ...at }} data-panel={panel.id}>
      <PanelChrome title={panel.title} description={panel.description} width={at.width} height={at.height} statusMessage={report.error}>
        {(w, h) =>
          frames ? (
            <Guard id={panel.id}>
              <Panel {...inner} width={w} height={h} />
            </Guard>
          ) : (
            <Empty text={report.error ?? "No data"} />
          )
        }
      </PanelChrome>
    </div>
  );
}

function Row({ row, width, theme }) {
  const { left, top, height } = place(row.gridPos, width);
  const style = { position: "absolute", left, top, height, display: "flex", alignItems: "center", gap: 6 };
  return (
    <div style={{ ...style, fontSize: theme.typography.h5.fontSize, fontWeight: theme.typography.fontWeightMedium }}>
      <Icon name="angle-down" />
      {row.title}
    </div>
  );
}

function Choice({ label, text, theme }) {
  const box = { padding: "4px 8px", border: `1px solid ${theme.colors.border.medium}`, background: theme.colors.background.primary };
  return (
    <span style={{ display: "inline-flex", fontSize: 13 }}>
      <span style={{ ...box, borderRight: 0, color: theme.colors.text.secondary }}>{label}</span>
      <span style={box}>{text}</span>
    </span>
  );
}

function Head({ board, shown, marks, asked, theme }) {
  const time = (seconds, format) => dateTimeFormat(seconds * 1000, { timeZone: TIME_ZONE, format });
  const { from, to } = asked.range;
  const names = new Map(marks.map(({ name, color }) => [name, color]));
  return (
    <div style={{ padding: `${MARGIN}px 0`, display: "flex", flexWrap: "wrap", gap: 8, alignItems: "center" }}>
      <h1 style={{ ...theme.typography.h3, margin: 0, width: "100%" }}>{board.title}</h1>
      {shown.map(({ name, label, text }) => (
        <Choice key={name} label={label ?? name} text={text} theme={theme} />
      ))}
      {[...names].map(([name, color]) => (
        <span key={name} style={{ fontSize: 13, display: "inline-flex", alignItems: "center", gap: 4, paddingLeft: 8 }}>
          <span style={{ width: 12, borderTop: `2px dashed ${theme.visualization.getColorByName(color)}` }} />
          {name}
        </span>
      ))}
      <span style={{ marginLeft: "auto" }}>
        <Choice label={<Icon name="clock-nine" />} text={`${time(from, "YYYY-MM-DD HH:mm")} to ${time(to, "HH:mm")} UTC`} theme={theme} />
      </span>
    </div>
  );
}

function Dashboard({ board, loaded, asked, theme }) {
  const { shown, rows, panels, marks } = loaded;
  const all = [...rows.map((row) => row.gridPos), ...panels.map(({ panel }) => panel.gridPos)];
  const height = Math.max(...all.map(({ y, h }) => (y + h) * (CELL + GAP)));
  const context = { eventsScope: "global", eventBus: new EventBusSrv(), canAddAnnotations: () => false };
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <PanelContextProvider value={context}>
        <div style={{ padding: `0 ${MARGIN}px ${MARGIN}px`, background: theme.colors.background.canvas }}>
          <Head board={board} shown={shown} marks={marks} asked={asked} theme={theme} />
          <div style={{ position: "relative", height }}>
            {rows.map((row) => (
              <Row key={row.id} row={row} width={asked.width} theme={theme} />
            ))}
            {panels.map((drawn) => (
              <Tile key={drawn.panel.id} drawn={drawn} width={asked.width} range={timeRange(asked.range)} marks={marks} />
            ))}
          </div>
        </div>
      </PanelContextProvider>
    </ThemeContext.Provider>
  );
}

// Icons are fetched one by one: the page is still when it has not changed for half a second.
async function stillness() {
  await document.fonts.ready;
  for (let before = "", same = 0; same < 5; ) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const after = document.body.innerHTML;
    same = after === before ? same + 1 : 0;
    before = after;
  }
}

function tell(account) {
  const element = document.createElement("script");
  element.type = "application/json";
  element.id = "drawn";
  element.textContent = JSON.stringify(account);
  document.body.append(element);
  window.drawn = account;
  document.title = account.error ? `failed: ${account.error}` : `drawn: ${account.title}`;
}

async function draw() {
  const { board: name, theme: mode, from, to, scrape, ...given } = Object.fromEntries(new URLSearchParams(location.search));
  const theme = createTheme({ colors: { mode } });
  const width = document.documentElement.clientWidth - 2 * MARGIN;
  const range = { from: Number(from), to: Number(to) };
  const asked = { range, scrape: Number(scrape), given, width, timeZone: TIME_ZONE };
  await initPluginTranslations("grafana-ui");
  const board = await (await fetch(`/dashboards/${name}.json`)).json();
  const loaded = await load(board, asked, theme);
  const root = createRoot(document.getElementById("root"));
  flushSync(() => root.render(<Dashboard board={board} loaded={loaded} asked={asked} theme={theme} />));
  await stillness();
  const panels = loaded.panels.map(({ report }) => {
    const error = report.error ?? failures.get(report.id);
    return error ? { ...report, error } : report;
  });
  return { title: board.title, variables: loaded.shown, marks: loaded.marks, panels };
}

draw().then(tell, (error) => tell({ error: error.message, panels: [] }));
