// Tables sorted by a click on a head; figures enlarged.

function sortValue(row, column) {
  const cell = row.cells[column];
  return cell.dataset.sort === undefined ? cell.textContent : Number(cell.dataset.sort);
}

// Numbers first, then text in natural order; what is missing stays last in both directions.
function ordered(one, other, down) {
  const kinds = [one, other].map((value) => (typeof value === "number" ? 0 : value === "-" ? 2 : 1));
  if (kinds[0] !== kinds[1]) return kinds[0] - kinds[1];
  const order = kinds[0] === 0 ? one - other : one.localeCompare(other, "en", { numeric: true });
  return down ? -order : order;
}

function sortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...table.tBodies[0].rows];
      rows.sort((one, other) => ordered(sortValue(one, column), sortValue(other, column), down));
      table.tBodies[0].append(...rows);
    });
  });
}

function enlargeable(button, dialog) {
  const small = button.querySelector("img"), large = dialog.querySelector("img");
  small.classList.toggle("small", small.naturalWidth < 200);
  button.addEventListener("click", () => {
    large.src = small.src;
    large.alt = small.alt;
    large.classList.toggle("small", small.naturalWidth < 200);
    dialog.showModal();
  });
}
