// What every page has: buttons that copy, and how a page asks the server for something.

export const words = JSON.parse(document.getElementById("words").textContent);

for (const button of document.querySelectorAll("[data-copy]")) {
  button.textContent = words.copy;
  button.hidden = !navigator.clipboard; // as on a page from another machine without https
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = words.copied;
    setTimeout(() => (button.textContent = words.copy), 1500);
  });
}

// The answer to GET, or to POST where there is something to send: values as JSON, or a file or bytes as they are.
// Throws an Error with the message that a person should read.
export async function ask(address, value) {
  const headers = { Accept: "application/json" };
  const options = { headers };
  if (value !== undefined) {
    const bytes = value instanceof Blob || ArrayBuffer.isView(value);
    headers["Content-Type"] = bytes ? "application/octet-stream" : "application/json";
    Object.assign(options, { method: "POST", body: bytes ? value : JSON.stringify(value) });
  }
  let response;
  try {
    response = await fetch(address, options);
  } catch {
    throw new Error(words.unreachable);
  }
  if (response.ok) return response.json();
  const text = await response.text();
  let message = text.trim();
  try {
    message = JSON.parse(text).error;
  } catch {}
  throw new Error(message);
}

// Calls `look` at once and then every so many milliseconds, while the page is seen; with many tabs open only one asks.
// `look` returns false when there is nothing more to see.
export function watch(look, milliseconds = 1000) {
  const turn = async () => {
    if (!document.hidden && (await look()) === false) return;
    setTimeout(turn, milliseconds);
  };
  turn();
}
