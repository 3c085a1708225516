// Where no exercises have been begun yet: a button writes them.

import { ask } from "./studio.js";

const begin = document.getElementById("begin");
const trouble = document.getElementById("trouble");

begin.addEventListener("click", async () => {
  begin.disabled = true;
  try {
    await ask(begin.dataset.address, {});
    location.reload();
  } catch (error) {
    begin.disabled = false;
    trouble.hidden = false;
    trouble.textContent = error.message;
  }
});
