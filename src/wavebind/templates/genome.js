"use strict";
(async () => {
  const holder = document.getElementById("genome-view");
  const found = JSON.parse(document.getElementById("genome-data").textContent);
  const buttons = document.createElement("div");
  buttons.className = "buttons";
  holder.before(buttons);
  const browser = await igv.createBrowser(holder, found.options);
  for (const input of browser.root.querySelectorAll("input[type=range]")) input.setAttribute("aria-label", "zoom");
  found.places.forEach((place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = place.name;
    button.addEventListener("click", () => browser.search(place.locus));
    buttons.append(button);
  });
})();
