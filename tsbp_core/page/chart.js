// Axes and marks in SVG, in real pixels: letters keep their size at every width.

function element(name, attributes, parent, text) {
  const drawn = ["svg", "g", "path", "text", "rect", "circle", "clipPath", "image"].includes(name);
  const node = drawn ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  parent?.append(node);
  return node;
}

// From data to pixels and back.
function scale({low, high, log}, from, to) {
  const f = log ? Math.log10 : Number, back = log ? x => 10 ** x : Number;
  const unit = (to - from) / (f(high) - f(low));
  return {at: value => from + (f(value) - f(low)) * unit, value: pixel => back(f(low) + (pixel - from) / unit)};
}

// A chart: {title, height, left, x: {low, high, log, label, ticks}, y: same}. `top` leaves room for
// rows, or for the label of y, above the axes. Marks are groups, each with the class of its role. What
// lies outside the axes is cut there, and an arrow at the edge says so. With `ratio`, of height to
// width, no axes are drawn, and the marks fill the chart.
class Chart {
  constructor(parent, {title, height, x, y, left = 46, top = 8, ratio = 0}) {
    const edges = ratio ? {left: 0, top: 0, right: 0, bottom: 0} : {left, top, right: 10, bottom: 38};
    Object.assign(this, {height, ratio, ...edges, x_axis: x, y_axis: y, width: 0});
    const figure = element("figure", {class: "chart"}, parent);
    this.caption = element("figcaption", {}, figure, title);
    this.svg = element("svg", {role: "img", "aria-label": title, height}, figure);
    const id = `clip-${Math.random().toString(36).slice(2)}`;
    this.window = element("rect", {}, element("clipPath", {id}, this.svg));
    this.frame = element("g", {}, this.svg);
    this.inside = element("g", {"clip-path": `url(#${id})`}, this.svg);
    this.edges = element("g", {}, this.svg);
    this.axes();
    this.fit();
    new ResizeObserver(() => this.fit()).observe(this.svg);
  }

  fit() {
    const width = Math.round(this.svg.getBoundingClientRect().width);
    if (!width || width === this.width) return;
    this.width = width;
    if (this.ratio) this.svg.setAttribute("height", this.height = Math.round(width * this.ratio));
    this.axes();
    this.redraw?.();
  }

  // Change the axes; they are drawn again only if they differ.
  set(x, y) {
    const key = JSON.stringify([x, y]);
    if (key === this.key) return;
    this.key = key;
    Object.assign(this.x_axis, x);
    Object.assign(this.y_axis, y);
    this.axes();
  }

  axes() {
    const {left, top, right, bottom, width, height, x_axis, y_axis, frame} = this;
    const low = height - bottom, end = width - right;
    this.x = scale(x_axis, left, end);
    this.y = scale(y_axis, low, top);
    for (const [key, value] of Object.entries({x: left, y: top, width: Math.max(end - left, 0), height: low - top}))
      this.window.setAttribute(key, value);
    frame.replaceChildren();
    if (this.ratio) return;
    for (const [value, label] of y_axis.ticks) {
      element("path", {d: `M${left} ${this.y.at(value)}H${end}`, class: "grid"}, frame);
      element("text", {x: left - 6, y: this.y.at(value) + 4, "text-anchor": "end"}, frame, label);
    }
    for (const [value, label] of x_axis.ticks) {
      element("path", {d: `M${this.x.at(value)} ${low}v4`, class: "axis"}, frame);
      element("text", {x: this.x.at(value), y: low + 17, "text-anchor": "middle"}, frame, label);
    }
    element("path", {d: `M${left} ${top}V${low}H${end}`, class: "axis"}, frame);
    element("text", {x: (left + end) / 2, y: height - 4, "text-anchor": "middle"}, frame, x_axis.label);
    if (y_axis.label) element("text", {x: 0, y: 13}, frame, y_axis.label);
  }

  // A path in the axes, cut at them; returns a function that sets its course.
  path(role) {
    const node = element("path", {class: role}, this.inside);
    return course => node.setAttribute("d", course);
  }

  // Arrows at the edges for what lies beyond; returns a function of [[x, y], ...].
  beyond(role, shift = 0) {
    const node = element("path", {class: `beyond ${role}`}, this.edges);
    return points => {
      const {low, high} = this.y_axis, top = this.top, bottom = this.height - this.bottom, above = new Set(), below = new Set();
      for (const [x, y] of points) if (y > high) above.add(x); else if (y < low) below.add(x);
      const arrows = (places, y, way) => {
        let course = "", last = -Infinity;  // where many would touch, some are left out
        for (const px of [...places].map(x => this.x.at(x) + shift - 3).sort((a, b) => a - b))
          if (px - last >= 8) course += `M${(last = px).toFixed(1)} ${y + way}h6l-3 ${-5 * Math.sign(way)}z`;
        return course;
      };
      node.setAttribute("d", arrows(above, top, 6) + arrows(below, bottom, -6));
    };
  }

  // The course of a line through points; NaN and what is not finite break it.
  line(xs, ys) {
    let course = "", open = false;
    for (let i = 0; i < xs.length; i++) {
      if (!Number.isFinite(ys[i])) { open = false; continue; }
      const y = Math.max(-2000, Math.min(2000, this.y.at(ys[i])));  // far outside all the same
      course += `${open ? "L" : "M"}${this.x.at(xs[i]).toFixed(1)} ${y.toFixed(1)}`;
      open = true;
    }
    return course;
  }
}

// Ticks at round numbers: [[value, label], ...].
function round_ticks({low, high, log}) {
  const ticks = [], signed = text => String(text).replace("-", "−");
  if (log) {
    const f = Math.log10, every = Math.max(1, Math.ceil((f(high) - f(low)) / 4));
    const power = e => "10" + String(e).replace(/./g, c => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]);
    for (let e = Math.ceil(f(low) - 1e-9); e <= f(high) + 1e-9; e += every) ticks.push([10 ** e, power(e)]);
  } else {
    const raw = (high - low) / 4, unit = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 2.5, 5, 10].map(m => m * unit).find(s => s >= raw * (1 - 1e-9));
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++)
      ticks.push([k * step, signed(+(k * step).toPrecision(6))]);
  }
  return ticks;
}
