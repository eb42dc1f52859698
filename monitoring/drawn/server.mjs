// Serves the page to the browser: the bundle, Grafana's icons and font, the dashboards, and Prometheus behind /prometheus.
//
// Input: folders, the address of Prometheus. Output: a server on a free port of loopback. Must not know: what is drawn.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join, normalize } from "node:path";

const HTML = `<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="stylesheet" href="/page.css">
<script>window.__grafana_public_path__ = "/public/"</script></head>
<body><div id="root"></div><script src="/page.js"></script></body></html>`;
const TYPES = { html: "text/html", js: "text/javascript", css: "text/css", json: "application/json", svg: "image/svg+xml" };
const FONTS = { "Inter-Regular": "inter-latin-400-normal", "Inter-Medium": "inter-latin-500-normal" };

async function bundle(here, modules) {
  const esbuild = createRequire(join(modules, "package.json"))("esbuild");
  const { outputFiles } = await esbuild.build({
    entryPoints: [join(here, "src/page.jsx")],
    nodePaths: [join(modules, "node_modules")],
    bundle: true,
    write: false,
    outdir: "/",
    format: "iife",
    target: "chrome100",
    jsx: "automatic",
    loader: { ".js": "jsx", ".svg": "dataurl", ".woff2": "dataurl", ".ttf": "dataurl" },
    define: { "process.env.NODE_ENV": '"production"', global: "window" },
    legalComments: "none",
    logLevel: "error",
  });
  return Object.fromEntries(outputFiles.map(({ path, contents }) => [path, contents]));
}

async function ask(prometheus, path) {
  try {
    const reply = await fetch(prometheus + path, { signal: AbortSignal.timeout(60000) });
    return { status: reply.status, type: "json", body: Buffer.from(await reply.arrayBuffer()) };
  } catch (error) {
    return { status: 502, type: "txt", body: `${prometheus} is not reached: ${error.cause?.message ?? error.message}` };
  }
}

export async function serve({ here, modules, dashboards, prometheus }) {
  const made = await bundle(here, modules);
  const packages = join(modules, "node_modules");

  async function reply(url) {
    const { pathname, search } = new URL(url, "http://127.0.0.1");
    const [, kind, ...rest] = normalize(pathname).split("/");
    const path = rest.join("/");
    if (kind === "") {
      return { status: 200, type: "html", body: HTML };
    }
    if (made[pathname]) {
      return { status: 200, type: kind.split(".").pop(), body: made[pathname] };
    }
    if (kind === "prometheus") {
      return ask(prometheus, `/${path}${search}`);
    }
    if (kind === "dashboards") {
      return { status: 200, type: "json", body: await readFile(join(dashboards, path)) };
    }
    const font = FONTS[/^fonts\/inter\/(.+)\.woff2$/.exec(path)?.[1]];
    const file = font ? `@fontsource/inter/files/${font}.woff2` : path.replace(/^build\/img\//, "@grafana/ui/dist/public/img/");
    return { status: 200, type: path.split(".").pop(), body: await readFile(join(packages, file)) };
  }

  const server = createServer((request, response) => {
    reply(request.url)
      .catch(() => ({ status: 404, type: "txt", body: "" }))
      .then(({ status, type, body }) => {
        response.writeHead(status, { "content-type": TYPES[type] ?? "application/octet-stream" });
        response.end(body);
      });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { address: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}
