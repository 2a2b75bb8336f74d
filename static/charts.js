// Plotly under a strict Content-Security-Policy: it may not add style elements, so it is kept from trying, and app.css
// carries the few rules that these charts need.

let loading = null;

function plotly() {
  loading ??= new Promise((resolve, reject) => {
    // Plotly leaves its own rules out where it finds an element of this id and class.
    const mark = document.createElement("meta");
    mark.id = "plotly.js-style-global";
    mark.className = "no-inline-styles";
    const { head } = document;
    head.append(mark);
    // While it loads, it would add the style of a map library as well; that one asks for no leave.
    head.appendChild = (node) => (node.tagName === "STYLE" ? node : Node.prototype.appendChild.call(head, node));
    const script = document.createElement("script");
    script.src = "/static/plotly.min.js";
    script.onload = () => {
      delete head.appendChild;
      resolve(window.Plotly);
    };
    script.onerror = () => reject(new Error("The charts can't be loaded."));
    head.append(script);
  });
  return loading;
}

// A token of the stylesheet as a colour that plotly understands, in the theme of the moment.
export function token(name) {
  const probe = document.createElement("i");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  const context = new OffscreenCanvas(1, 1).getContext("2d");
  context.fillStyle = color;
  context.fillRect(0, 0, 1, 1);
  const [r, g, b] = context.getImageData(0, 0, 1, 1).data;
  return `rgb(${r},${g},${b})`;
}

export function layout(extra) {
  const muted = token("muted");
  const axis = { gridcolor: token("line"), zerolinecolor: token("line"), linecolor: token("line"), tickfont: { color: muted }, fixedrange: true };
  const { xaxis, yaxis, ...rest } = extra;
  return {
    paper_bgcolor: "transparent", plot_bgcolor: "transparent", autosize: true, margin: { l: 44, r: 4, t: 4, b: 28 },
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: token("ink") },
    hoverlabel: { bgcolor: token("ink"), bordercolor: token("ink"), font: { color: token("surface") } },
    xaxis: { ...axis, ...xaxis }, yaxis: { ...axis, ...yaxis }, ...rest,
  };
}

const CONFIG = { displayModeBar: false, responsive: true, displaylogo: false, doubleClick: false, scrollZoom: false };

// Draws, and draws again when the theme changes. ``make`` gives {data, layout}; the node, ready for events, comes back.
export async function draw(node, make) {
  const library = await plotly();
  const show = () => {
    const { data, layout: wanted } = make();
    return library.react(node, data, layout(wanted), CONFIG);
  };
  await show();
  document.addEventListener("themechange", show);
  node.redraw = show;
  return node;
}
