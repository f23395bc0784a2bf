"use strict";
// Themes, and notes that open on hover and beside their number. Without this script notes still open on click or Enter.
(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const order = ["system", "light", "dark"];
  const remembered = () => {
    try { return localStorage.getItem("theme"); } catch { return null; }
  };
  const show = (theme) => {
    if (theme === "system") root.removeAttribute("data-theme");
    else root.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
    try { localStorage.setItem("theme", theme); } catch { /* a browser may forbid storage for files */ }
  };
  let theme = order.includes(remembered()) ? remembered() : "system";
  button.hidden = false;
  show(theme);
  button.addEventListener("click", () => {
    theme = order[(order.indexOf(theme) + 1) % order.length];
    show(theme);
  });

  const place = (note, number) => {
    const from = number.getBoundingClientRect();
    const size = note.getBoundingClientRect();
    const left = Math.max(8, Math.min(from.left, innerWidth - size.width - 8));
    const below = from.bottom + 6;
    const top = below + size.height < innerHeight ? below : Math.max(8, from.top - size.height - 6);
    note.style.inset = `${top}px auto auto ${left}px`;
    note.style.margin = "0";
  };
  let waiting = 0;
  let hovered = null;
  const close = () => { if (hovered?.matches(":popover-open")) hovered.hidePopover(); hovered = null; };
  for (const number of document.querySelectorAll("button.number")) {
    const note = document.getElementById(number.getAttribute("popovertarget"));
    if (!note?.showPopover) continue;
    note.addEventListener("toggle", (event) => { if (event.newState === "open") place(note, number); });
    const leave = (event) => {
      clearTimeout(waiting);
      if (hovered === note && !note.contains(event.relatedTarget) && event.relatedTarget !== number) {
        waiting = setTimeout(close, 150);
      }
    };
    number.addEventListener("pointerenter", (event) => {
      clearTimeout(waiting);
      if (event.pointerType !== "mouse" || note.matches(":popover-open")) return;
      if (document.querySelector("[popover]:popover-open:not(:hover)") && !hovered) return;
      waiting = setTimeout(() => { note.showPopover(); hovered = note; }, 250);
    });
    number.addEventListener("pointerleave", leave);
    note.addEventListener("pointerenter", () => clearTimeout(waiting));
    note.addEventListener("pointerleave", leave);
    // A click on a number that hovering has opened keeps the note instead of closing it.
    number.addEventListener("click", (event) => {
      clearTimeout(waiting);
      if (hovered === note && note.matches(":popover-open")) { event.preventDefault(); hovered = null; }
    });
  }
})();
