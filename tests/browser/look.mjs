// `look.mjs PAGE FOLDER`: opens a page in Chromium, narrow and wide, light and dark. What a reader would see goes to standard
// output as JSON, a list of views; a picture of each goes into the folder.

import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [page, folder] = process.argv.slice(2).map((path) => resolve(path));

// The package unpacks the browser into the folder for temporary files. Its libraries, which a machine without a desktop lacks, it
// unpacks only where it believes to be a function.
const home = join(folder, "browser");
mkdirSync(home, { recursive: true });
process.env.TMPDIR = home;
process.env.AWS_LAMBDA_JS_RUNTIME = "nodejs24.x";
process.env.FONTCONFIG_PATH = home;
writeFileSync(join(home, "fonts.conf"), `<fontconfig><dir>${home}/fonts</dir><cachedir>${home}/cache</cachedir></fontconfig>`);
const { default: chromium } = await import("@sparticuz/chromium");
const { default: puppeteer } = await import("puppeteer-core");

// What is seen of the page; runs in it.
function look() {
  const round = (number) => Math.round(number * 10) / 10;
  const inside = (box, frame, slack) =>
    box.left >= frame.left - slack && box.right <= frame.right + slack && box.top >= frame.top - slack && box.bottom <= frame.bottom + slack;
  const around = (boxes) => ({
    left: Math.min(...boxes.map((box) => box.left)),
    right: Math.max(...boxes.map((box) => box.right)),
    top: Math.min(...boxes.map((box) => box.top)),
    bottom: Math.max(...boxes.map((box) => box.bottom)),
  });
  const told = (element) => `${element.tagName} ${element.getAttribute("class") ?? ""} ${element.textContent}`.trim();
  const boxes = (elements) => [...elements].map((element) => element.getBoundingClientRect());

  // WCAG's contrast of two colours.
  const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [red, green, blue] = channels(colour).map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const ground = (element) => {
    const colour = getComputedStyle(element).backgroundColor;
    const transparent = channels(colour)[3] === 0;
    return transparent && element.parentElement ? ground(element.parentElement) : colour;
  };
  const written = [...document.body.querySelectorAll("*")].filter(
    (element) => element.tagName !== "title" && [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()),
  );
  const faint = written.map((element) => {
    const style = getComputedStyle(element);
    const colour = element instanceof SVGElement ? style.fill : style.color;
    return [round(contrast(colour, ground(element))), told(element)];
  });

  const plots = [...document.querySelectorAll("svg")].map((svg) => {
    const frame = svg.getBoundingClientRect();
    const lines = boxes(svg.querySelectorAll(".grid"));
    const field = lines.length > 0 ? around(lines) : frame;
    const marks = [...svg.querySelectorAll("circle:not(.key), rect, polyline, .whisker, .ideal")];
    const texts = [...svg.querySelectorAll("text")];
    const collides = (one, other) => one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
    const places = boxes(texts);
    const colliding = places.flatMap((one, at) =>
      places.slice(at + 1).flatMap((other, after) => (collides(one, other) ? [`${texts[at].textContent} / ${texts[at + 1 + after].textContent}`] : [])),
    );
    const scale = frame.width / svg.viewBox.baseVal.width;
    const colour = (mark) => getComputedStyle(mark)[mark.tagName === "rect" || mark.tagName === "circle" ? "fill" : "stroke"];
    return {
      title: svg.querySelector("title").textContent,
      width: round(frame.width),
      height: round(frame.height),
      marks: marks.length,
      // Half a mark may stand over the last line of the grid.
      outside: marks.filter((mark) => !inside(mark.getBoundingClientRect(), field, 4 * scale + 0.5)).map(told),
      cut: texts.filter((text) => !inside(text.getBoundingClientRect(), frame, 0.5)).map(told),
      colliding,
      text_pixels: round(Math.min(...texts.map((text) => parseFloat(getComputedStyle(text).fontSize) * scale))),
      contrast: round(Math.min(...marks.map((mark) => contrast(colour(mark), ground(svg))))),
    };
  });

  const cells = (row) => [...row.querySelectorAll("th, td")].map((cell) => cell.innerText.split(/\s*\n\s*/).filter(Boolean));
  return {
    title: document.title,
    models: [...document.querySelectorAll("h2")].map((head) => head.id),
    // How far the page can be pushed to the side.
    sideways: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    contrast: faint.reduce((worst, one) => (one[0] < worst[0] ? one : worst)),
    plots,
    tables: [...document.querySelectorAll("table")].map((table) => [...table.rows].map(cells)),
  };
}

const browser = await puppeteer.launch({
  executablePath: await chromium.executablePath(),
  headless: "shell",
  pipe: true,
  // As root, in a container, there is no sandbox; the page is our own.
  args: ["--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--font-render-hinting=none", "--disable-background-networking"],
});
try {
  const views = [];
  for (const width of [390, 1280]) {
    for (const scheme of ["light", "dark"]) {
      const tab = await browser.newPage();
      const complaints = [];
      tab.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
      tab.on("pageerror", (error) => complaints.push(String(error)));
      tab.on("requestfailed", (request) => complaints.push(`failed: ${request.url()}`));
      const asked = [];
      tab.on("request", (request) => asked.push(request.url()));
      await tab.setViewport({ width, height: 900 });
      await tab.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      await tab.goto(pathToFileURL(page).href, { waitUntil: "load" });
      const seen = await tab.evaluate(look);
      await tab.screenshot({ path: join(folder, `${width}-${scheme}.png`), fullPage: true });
      views.push({ width, scheme, complaints, requests: asked.length, ...seen });
      await tab.close();
    }
  }
  console.log(JSON.stringify({ browser: await browser.version(), views }, null, 1));
} finally {
  await browser.close();
}
