(function () {
  "use strict";
  var players = Array.prototype.slice.call(document.querySelectorAll(".clip audio"));
  players.forEach(function (player) {
    var seen = player.parentNode.querySelector(".seen"), now = seen.querySelector(".now");
    function follow() {
      now.hidden = !(player.currentTime > 0);
      now.style.left = (100 * player.currentTime / (player.duration || 1)) + "%";
      if (!player.paused) { requestAnimationFrame(follow); }
    }
    player.addEventListener("play", function () {
      players.forEach(function (other) { if (other !== player) { other.pause(); } });
      follow();
    });
    ["seeked", "pause", "ended"].forEach(function (name) { player.addEventListener(name, follow); });
    seen.addEventListener("click", function (event) {
      var box = seen.getBoundingClientRect();
      if (player.duration) { player.currentTime = player.duration * (event.clientX - box.left) / box.width; }
    });
  });
})();
