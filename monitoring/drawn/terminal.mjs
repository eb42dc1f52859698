// A program in a terminal of this size, and its screen as an SVG.
//
// Input: a command, an emulator of a terminal (@xterm/headless). Output: text, an SVG. Must not know: which program it is.

import { spawn } from "node:child_process";

const WIDTH = 8.4; // of a cell at this size of the font
const HEIGHT = 17;
const SIZE = 14;
const MARGIN = 14;
const BACK = "#16181d";
const FRONT = "#d5d8de";
const DIM = "#8b909b";
// The first 16 colours of a terminal.
const PALETTE = [
  ["#16181d", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d5d8de"],
  ["#5c6370", "#ef7d86", "#a9d48a", "#f6d18c", "#72c0ff", "#d789ee", "#67c7d3", "#ffffff"],
].flat();

export class Terminal {
  #screen;
  #process;

  // util-linux' script gives the program a terminal.
  constructor(Emulator, command, columns, rows) {
    this.#screen = new Emulator({ cols: columns, rows, allowProposedApi: true });
    const shell = `stty cols ${columns} rows ${rows}; exec ${command}`;
    const env = { ...process.env, TERM: "xterm-256color", SHELL: "/bin/sh" };
    this.#process = spawn("script", ["--quiet", "--flush", "--command", shell, "/dev/null"], { env });
    this.#process.stdout.on("data", (bytes) => this.#screen.write(bytes));
    this.#process.on("error", (error) => (this.failed = error));
    this.#process.on("exit", () => (this.isOver = true));
  }

  type(text) {
    this.#process.stdin.write(text);
  }

  end() {
    this.#process.kill();
  }

  #lines() {
    const buffer = this.#screen.buffer.active;
    return Array.from({ length: this.#screen.rows }, (_, row) => buffer.getLine(buffer.viewportY + row));
  }

  text() {
    return this.#lines().map((line) => line.translateToString(true)).join("\n");
  }

  // Waits until a text is on the screen.
  async until(text, seconds) {
    for (const end = Date.now() + seconds * 1000; Date.now() < end; ) {
      if (this.failed) {
        throw new Error(`script (Debian: bsdutils) does not start: ${this.failed.message}`);
      }
      if (this.text().includes(text)) {
        return;
      }
      if (this.isOver) {
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`"${text}" was not on the screen: ${this.text()}`);
  }

  svg(title) {
    const { cols, rows } = this.#screen;
    const [width, height] = [Math.ceil(cols * WIDTH + 2 * MARGIN), rows * HEIGHT + 2 * MARGIN];
    const drawn = this.#lines().flatMap((line, row) => runs(line, cols).map((run) => element(run, row)));
    return [
      `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(title)}">`,
      `<rect width="100%" height="100%" rx="8" fill="${BACK}"/>`,
      `<g font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="${SIZE}" style="white-space: pre">`,
      ...drawn,
      "</g>",
      "</svg>",
      "",
    ].join("\n");
  }
}

const escaped = (text) => text.replace(/[&<>"]/g, (found) => `&#${found.charCodeAt(0)};`);

function color(cell, isBack) {
  const isDefault = isBack ? cell.isBgDefault() : cell.isFgDefault();
  const number = isBack ? cell.getBgColor() : cell.getFgColor();
  if (isDefault) {
    return isBack ? BACK : FRONT;
  }
  if (isBack ? cell.isBgRGB() : cell.isFgRGB()) {
    return `#${number.toString(16).padStart(6, "0")}`;
  }
  return PALETTE[number] ?? FRONT;
}

function style(cell) {
  const [front, back] = [color(cell, false), color(cell, true)];
  const shown = cell.isDim() && front === FRONT ? DIM : front;
  const [ink, paper] = cell.isInverse() ? [back, shown] : [shown, back];
  return { ink, paper, isBold: cell.isBold() !== 0 };
}

// Neighbouring cells of one style.
function runs(line, columns) {
  const found = [];
  for (let column = 0; column < columns; column++) {
    const cell = line.getCell(column);
    const text = cell.getChars() || " ";
    const at = style(cell);
    const last = found.at(-1);
    if (last && last.ink === at.ink && last.paper === at.paper && last.isBold === at.isBold) {
      last.text += text;
      last.width += 1;
    } else {
      found.push({ ...at, column, text, width: 1 });
    }
  }
  return found.filter(({ text, paper }) => text.trim() || paper !== BACK);
}

// The words of a run, each where its column is: textLength keeps it there, whatever font the reader has.
function element({ ink, paper, isBold, column, text, width }, row) {
  const [x, y] = [MARGIN + column * WIDTH, MARGIN + row * HEIGHT];
  const weight = isBold ? ' font-weight="bold"' : "";
  const words = [...text.matchAll(/\S+(?: \S+)*/g)].map(({ 0: word, index }) => {
    const at = `x="${(x + index * WIDTH).toFixed(1)}" y="${y + HEIGHT - 4}" textLength="${(word.length * WIDTH).toFixed(1)}"`;
    return `<text ${at} lengthAdjust="spacingAndGlyphs" fill="${ink}"${weight}>${escaped(word)}</text>`;
  });
  const back = `<rect x="${x.toFixed(1)}" y="${y}" width="${(width * WIDTH).toFixed(1)}" height="${HEIGHT}" fill="${paper}"/>`;
  return [...(paper === BACK ? [] : [back]), ...words].join("");
}
