(function () {
  "use strict";
  var root = document.documentElement, button = document.getElementById("theme"), names = ["system", "light", "dark"];
  var stored = "system";
  try { stored = localStorage.getItem("percept-theme") || "system"; } catch (e) { /* a file may have no storage */ }
  function dress(name) {
    stored = names.indexOf(name) < 0 ? "system" : name;
    if (stored === "system") { root.removeAttribute("data-theme"); } else { root.setAttribute("data-theme", stored); }
    button.textContent = "Theme: " + stored;
    try { localStorage.setItem("percept-theme", stored); } catch (e) { /* as above */ }
  }
  button.hidden = false;
  button.addEventListener("click", function () { dress(names[(names.indexOf(stored) + 1) % names.length]); });
  dress(stored);

  document.querySelectorAll("table[data-gallery]").forEach(function (table) {
    var controls = document.querySelector(".controls[data-for='" + table.dataset.gallery + "']");
    var body = table.tBodies[0], rows = Array.prototype.slice.call(body.rows);
    var pick = function (role) { return controls.querySelector("[data-role=" + role + "]"); };
    function arrange() {
      var order = pick("order") ? pick("order").value : "plain", key = pick("key") ? Number(pick("key").value) : 0;
      if (pick("key")) { pick("key").disabled = order === "plain"; }
      var entries = rows.map(function (row, i) {
        return { row: row, i: i, score: Number((row.dataset.scores || "").split(" ")[key]) };
      });
      if (order !== "plain") {
        var sorted = entries.map(function (e) { return e.score; }).sort(function (a, b) { return a - b; });
        var median = (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
        var rank = { best: function (e) { return -e.score; }, worst: function (e) { return e.score; },
                     median: function (e) { return Math.abs(e.score - median); } }[order];
        entries.sort(function (a, b) { return rank(a) - rank(b) || a.i - b.i; });
      }
      var limit = Number(pick("show").value);
      entries.forEach(function (e, i) { body.appendChild(e.row); e.row.hidden = i >= limit; });
      controls.querySelector(".shown").textContent = Math.min(limit, rows.length) + " of " + rows.length + " stimuli";
    }
    controls.hidden = false;
    controls.addEventListener("change", arrange);
    arrange();
  });
})();
