// The tree of files: columns of data, of which only what is open becomes elements.
// Everything in them is an image's word and is written as text.
const CHUNK = 300; // children that are shown at once
const HITS = 200;

function bytes(n) {
  if (n >= 1e9) return (n / 1e9).toFixed(2) + " GB";
  if (n >= 1e6) return (n / 1e6).toFixed(1) + " MB";
  if (n >= 1e3) return (n / 1e3).toFixed(1) + " kB";
  return n + " B";
}

function element(name, className, text) {
  const e = document.createElement(name);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
}

// heard is for who listens: what the columns say to who sees.
function heard(text) { return element("span", "visually-hidden", text); }

async function unpack(text) {
  const raw = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const data = Uint8Array.from(raw, (c) => c.charCodeAt(0));
  const plain = new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(plain).json();
}

const TYPES = { "-": "file", d: "directory", l: "symbolic link", h: "hard link", c: "character device", b: "block device", p: "named pipe", "?": "unknown type" };

class FileTree {
  constructor(data, section) {
    this.d = data;
    this.root = section.querySelector(".tree");
    this.hits = section.querySelector(".hits");
    this.head = section.querySelector(".treehead");
    this.said = section.querySelector(".said");
    this.find = section.querySelector(".find");
    this.only = "";
    this.measure();
    this.filters(section.querySelector(".toggles"));
    const top = this.item(0);
    top.tabIndex = 0;
    this.root.append(top);
    this.expand(top);
    this.root.addEventListener("keydown", (e) => this.key(e));
    this.root.addEventListener("click", (e) => this.click(e));
    this.find.addEventListener("input", () => this.search());
    for (const hidden of [section.querySelector(".tools"), this.root, this.head]) hidden.hidden = false;
  }

  // measure finds parents and children, and what directories hold.
  measure() {
    const d = this.d, n = d.name.length, open = [];
    this.parent = new Int32Array(n).fill(-1);
    this.children = new Map();
    this.total = Float64Array.from(d.size);
    for (let i = 0; i < n; i++) {
      open.length = d.depth[i];
      if (open.length) {
        this.parent[i] = open[open.length - 1];
        if (!this.children.has(this.parent[i])) this.children.set(this.parent[i], []);
        this.children.get(this.parent[i]).push(i);
      }
      open.push(i);
    }
    for (let i = n - 1; i > 0; i--) this.total[this.parent[i]] += this.total[i];
  }

  path(i) {
    const parts = [];
    for (; i > 0; i = this.parent[i]) parts.unshift(this.d.name[i]);
    return "/" + parts.join("/");
  }

  flags(i) {
    const d = this.d, mode = d.mode[i], list = [];
    if (d.type[i] === "l") return list;
    if (mode & 0o4000) list.push(["setuid", ""]);
    if (mode & 0o2000) list.push(["setgid", ""]);
    if (mode & 2) list.push(mode & 0o1000 ? ["world-writable, sticky", "soft"] : ["world-writable", ""]);
    if (d.caps[i]) list.push([d.caps[i], ""]);
    if (this.origin(i).kind === "unknown") list.push(["unexplained", "soft"]);
    return list;
  }

  origin(i) { return this.d.origins[this.d.origin[i]]; }
  mode(i) { return this.d.type[i] === "l" ? "link" : this.d.mode[i].toString(8).padStart(4, "0"); }

  filters(place) {
    const d = this.d;
    const kinds = {
      "setuid or setgid": (i) => d.type[i] !== "l" && (d.mode[i] & 0o6000) !== 0,
      "world-writable": (i) => d.type[i] !== "l" && (d.mode[i] & 2) !== 0,
      "capabilities": (i) => d.caps[i] !== undefined,
      "unexplained": (i) => this.origin(i).kind === "unknown",
    };
    this.kinds = kinds;
    for (const [name, is] of Object.entries(kinds)) {
      let n = 0;
      for (let i = 0; i < d.name.length; i++) if (is(i)) n++;
      const b = element("button", "", name + " ");
      b.type = "button";
      b.setAttribute("aria-pressed", "false");
      b.append(element("span", "n", String(n)));
      b.addEventListener("click", () => {
        this.only = this.only === name ? "" : name;
        for (const other of place.children) other.setAttribute("aria-pressed", String(other === b && this.only !== ""));
        this.search();
      });
      place.append(b);
    }
  }

  item(i) {
    const d = this.d, it = element("div", "item"), row = element("div", "row"), name = element("span", "name");
    const siblings = i > 0 ? this.children.get(this.parent[i]) : [0];
    const flags = this.flags(i);
    name.append(element("bdi", "", d.name[i]), heard(", " + TYPES[d.type[i]]));
    if (d.links[i] !== undefined) name.append(element("bdi", "link", (d.type[i] === "h" ? " = /" : " → ") + d.links[i]));
    for (const [text, soft] of flags) name.append(heard(", "), element("span", "flag " + soft, text));
    row.append(name);
    const cell = (className, before, text) => {
      const e = element("span", className);
      e.append(...(text ? [heard(", " + before), text] : []));
      row.append(e);
    };
    cell("mode", "mode ", this.mode(i));
    cell("owner", "owner ", d.owners[d.owner[i]]);
    cell("num", "", this.children.has(i) || d.type[i] === "-" ? bytes(this.total[i]) : "");
    cell("from", "from ", this.origin(i).text);
    it.append(row);
    it.style.setProperty("--level", Math.min(d.depth[i], 24));
    it.dataset.row = i;
    it.tabIndex = -1;
    it.setAttribute("role", "treeitem");
    it.setAttribute("aria-level", d.depth[i] + 1);
    it.setAttribute("aria-setsize", siblings.length);
    it.setAttribute("aria-posinset", siblings.indexOf(i) + 1);
    it.setAttribute("aria-selected", "false");
    if (this.children.has(i)) it.setAttribute("aria-expanded", "false");
    return it;
  }

  // rest stands for children that are not shown yet.
  rest(parent, from) {
    const it = element("div", "item"), left = this.children.get(parent).length - from;
    const row = element("div", "row"), name = element("span", "name", "show " + Math.min(left, CHUNK) + " of " + left + " more");
    row.append(name);
    it.append(row);
    it.style.setProperty("--level", Math.min(this.d.depth[parent] + 1, 24));
    it.dataset.parent = parent;
    it.dataset.from = from;
    it.tabIndex = -1;
    it.setAttribute("role", "treeitem");
    it.setAttribute("aria-level", this.d.depth[parent] + 2);
    it.setAttribute("aria-selected", "false");
    return it;
  }

  fill(parent, from, after) {
    const all = this.children.get(parent), list = all.slice(from, from + CHUNK).map((i) => this.item(i));
    if (from + CHUNK < all.length) list.push(this.rest(parent, from + CHUNK));
    after.after(...list);
    return list[0];
  }

  level(it) { return Number(it.getAttribute("aria-level")); }

  expand(it) {
    if (it.getAttribute("aria-expanded") !== "false") return;
    it.setAttribute("aria-expanded", "true");
    this.fill(Number(it.dataset.row), 0, it);
  }

  collapse(it) {
    it.setAttribute("aria-expanded", "false");
    while (it.nextElementSibling && this.level(it.nextElementSibling) > this.level(it)) it.nextElementSibling.remove();
  }

  more(it) {
    const first = this.fill(Number(it.dataset.parent), Number(it.dataset.from), it);
    it.remove();
    this.select(first, true);
  }

  // select moves the tree's one tab stop, and shows all that is known of the path.
  select(it, focus) {
    const was = this.root.querySelector('[aria-selected="true"]');
    if (was && was !== it) {
      was.setAttribute("aria-selected", "false");
      was.querySelector(".detail")?.remove();
    }
    for (const stop of this.root.querySelectorAll('[tabindex="0"]')) stop.tabIndex = -1;
    it.tabIndex = 0;
    it.setAttribute("aria-selected", "true");
    if (it.dataset.row !== undefined && !it.querySelector(".detail")) it.append(this.detail(Number(it.dataset.row)));
    if (focus) it.focus();
  }

  detail(i) {
    const box = element("div", "detail"), d = this.d;
    const path = element("p");
    path.append(element("code", "", this.path(i)));
    const held = this.children.get(i);
    const facts = [TYPES[d.type[i]], held && held.length + " inside", d.layer[i] >= 0 && "layer " + (d.layer[i] + 1), d.caps[i] && "capabilities " + d.caps[i]];
    box.append(path, element("p", "", facts.filter(Boolean).join(", ")), element("p", "", "from " + this.origin(i).text));
    return box;
  }

  click(e) {
    const it = e.target.closest(".item");
    if (!it) return;
    if (it.dataset.parent !== undefined) return this.more(it);
    this.select(it, true);
    if (e.target.closest(".detail") || !it.hasAttribute("aria-expanded")) return;
    if (it.getAttribute("aria-expanded") === "true") this.collapse(it); else this.expand(it);
  }

  // key follows the tree view pattern of the ARIA Authoring Practices Guide.
  key(e) {
    const it = e.target.closest(".item");
    if (!it || e.altKey || e.ctrlKey || e.metaKey) return;
    const state = it.getAttribute("aria-expanded");
    let to = null;
    switch (e.key) {
      case "ArrowDown": to = it.nextElementSibling; break;
      case "ArrowUp": to = it.previousElementSibling; break;
      case "Home": to = this.root.firstElementChild; break;
      case "End": to = this.root.lastElementChild; break;
      case "ArrowRight":
        if (state === "false") this.expand(it); else if (state === "true") to = it.nextElementSibling;
        break;
      case "ArrowLeft":
        if (state === "true") { this.collapse(it); break; }
        for (to = it.previousElementSibling; to && this.level(to) >= this.level(it);) to = to.previousElementSibling;
        break;
      case "Enter": case " ":
        if (it.dataset.parent !== undefined) this.more(it);
        else if (state === "false") this.expand(it);
        else if (state === "true") this.collapse(it);
        break;
      default:
        if (e.key.length !== 1) return;
        to = this.typed(it, e.key.toLowerCase());
    }
    e.preventDefault();
    if (to) this.select(to, true);
  }

  typed(it, letter) {
    const all = [...this.root.children], at = all.indexOf(it);
    const next = [...all.slice(at + 1), ...all.slice(0, at)];
    return next.find((o) => o.dataset.row !== undefined && this.d.name[o.dataset.row].toLowerCase().startsWith(letter));
  }

  // search lists the paths that match, in place of the tree.
  search() {
    const words = this.find.value.trim().toLowerCase(), is = this.kinds[this.only] ?? (() => true);
    const searching = words !== "" || this.only !== "";
    this.root.hidden = this.head.hidden = searching;
    this.hits.hidden = !searching;
    this.hits.replaceChildren();
    this.said.textContent = "";
    if (!searching) return;
    this.paths ??= this.d.name.map((_, i) => this.path(i));
    let n = 0;
    for (let i = 0; i < this.paths.length; i++) {
      if (!is(i) || !this.paths[i].toLowerCase().includes(words)) continue;
      if (++n <= HITS) this.hits.append(this.hit(i));
    }
    this.said.textContent = n + (n === 1 ? " path" : " paths") + (n > HITS ? ", the first " + HITS + " of them" : "");
  }

  hit(i) {
    const li = element("li"), b = element("button", "", this.paths[i]);
    b.type = "button";
    b.addEventListener("click", () => this.reveal(i));
    li.append(b, " ", element("span", "muted", [this.mode(i), this.d.owners[this.d.owner[i]], this.origin(i).text].join(", ")));
    for (const [text, soft] of this.flags(i)) li.append(element("span", "flag " + soft, text));
    return li;
  }

  // reveal opens the tree down to a path.
  reveal(i) {
    this.find.value = "";
    if (this.only !== "") document.querySelectorAll(".files .toggles button[aria-pressed=true]").forEach((b) => b.setAttribute("aria-pressed", "false"));
    this.only = "";
    this.search();
    const line = [];
    for (let at = i; at >= 0; at = this.parent[at]) line.unshift(at);
    let it = this.root.firstElementChild;
    for (const row of line.slice(1)) {
      this.expand(it);
      const find = () => this.root.querySelector('[data-row="' + row + '"]');
      for (let rest; !(it = find()) && (rest = this.root.querySelector('[data-parent="' + this.parent[row] + '"]'));) this.more(rest);
      if (!it) return;
    }
    this.select(it, true);
    it.scrollIntoView({ block: "nearest" });
  }
}
