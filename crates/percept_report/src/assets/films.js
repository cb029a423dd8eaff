(function () {
  "use strict";
  Array.prototype.slice.call(document.querySelectorAll(".films")).forEach(function (films) {
    var rate = +films.dataset.rate, n = +films.dataset.frames;
    var size = films.dataset.size.split(" ");
    var sheets = Array.prototype.slice.call(films.querySelectorAll(".screen img"));
    var slider = films.querySelector("input[type=range]"), time = films.querySelector("output");
    var button = films.querySelector(".play"), speed = films.querySelector("select"), said = films.querySelector(".said");
    var marks = Array.prototype.slice.call(films.querySelectorAll(".track"));
    var words = Array.prototype.map.call(films.querySelectorAll(".words li"), function (li) {
      return { at: +li.dataset.at, text: li.textContent };
    });
    var frame = 0, playing = false, wanted = false, seen = true, last = 0, exact = 0;

    function show(number) {
      frame = Math.max(0, Math.min(n - 1, number));
      sheets.forEach(function (img) {
        var across = +img.dataset.across, box = img.parentNode;
        var w = box.clientWidth, h = w * size[1] / size[0];
        img.style.transform = "translate(" + (-(frame % across) * w) + "px," + (-Math.floor(frame / across) * h) + "px)";
      });
      slider.value = frame;
      time.textContent = (frame / rate).toFixed(1) + " s";
      var now = "";
      words.forEach(function (word) { if (word.at <= frame / rate + 1e-6) { now = word.text; } });
      said.textContent = now;
      marks.forEach(function (track) {
        var box = track.querySelector("svg").getBoundingClientRect(), from = track.getBoundingClientRect().left;
        track.querySelector(".now").style.left = (box.left - from + box.width * (frame + 0.5) / n) + "px";
      });
      films.dataset.frame = frame;
    }

    function tick(at) {
      if (!playing) { return; }
      exact += (at - last) / 1000 * rate * speed.value;
      last = at;
      if (exact >= n) { exact = 0; }
      if (Math.floor(exact) !== frame) { show(Math.floor(exact)); }
      requestAnimationFrame(tick);
    }

    function settle() {
      var on = wanted && seen && !document.hidden;
      if (on && !playing) {
        playing = true; exact = frame; last = performance.now();
        requestAnimationFrame(tick);
      }
      if (!on) { playing = false; }
      films.dataset.playing = playing;
      button.textContent = wanted ? "Pause" : "Play";
      button.setAttribute("aria-pressed", wanted);
    }

    function play(on) { wanted = on; settle(); }
    function go(number) { show(number); exact = frame; }

    button.addEventListener("click", function () { play(!wanted); });
    slider.addEventListener("input", function () { go(+slider.value); });
    films.addEventListener("keydown", function (event) {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target === speed) { return; }
      var step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -Math.round(rate), PageDown: Math.round(rate), Home: -n, End: n }[event.key];
      if (event.key === " " && event.target !== button) { play(!wanted); }
      else if (step) { play(false); go(frame + step); }
      else { return; }
      event.preventDefault();
    });
    marks.forEach(function (track) {
      var svg = track.querySelector("svg");
      svg.addEventListener("click", function (event) {
        var box = svg.getBoundingClientRect();
        go(Math.floor(n * (event.clientX - box.left) / box.width));
      });
    });
    document.addEventListener("visibilitychange", settle);
    window.addEventListener("resize", function () { show(frame); });
    if ("IntersectionObserver" in window) {
      new IntersectionObserver(function (entries) {
        seen = entries[entries.length - 1].isIntersecting;
        settle();
      }).observe(films);
    }
    show(0);
  });
})();
