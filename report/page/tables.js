"use strict";
// A click on a column's head sorts its table by that column; another click turns the order round.

function makeSortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const falling = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      const body = table.tBodies[0];
      const value = (row) => row.cells[column].dataset.value;
      const numeric = head.classList.contains("number");
      const rows = [...body.rows].sort((a, b) =>
        numeric ? Number(value(a)) - Number(value(b)) : value(a).localeCompare(value(b)));
      body.append(...(falling ? rows.reverse() : rows));
    });
  });
}
