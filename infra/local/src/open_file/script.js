// Signs somebody in and downloads the file that the address names, through the API, which decides who may.
"use strict";

const main = document.querySelector("main");
const { cognito, client } = main.dataset;
const [form, problem, result] = ["sign-in", "problem", "result"].map((id) => document.getElementById(id));
const file = location.pathname.split("/").pop();
const account = new URLSearchParams(location.search).get("account");

// In memory only: closing or reloading the page forgets it.
let token = null;

const WORDS = {
  refused: "E-mail or password is wrong.",
  step: "This account needs another step to sign in, which this page does not know.",
  silent: "The portal does not answer. Try again in a moment.",
  missing: "There is no such file for you: it does not exist, is not available any more, or is not yours to see.",
  expired: "The sign-in has ended. Sign in again.",
};

class Refusal extends Error {}

async function ask(url, options) {
  try {
    return await fetch(url, { ...options, cache: "no-store", credentials: "omit", referrerPolicy: "no-referrer" });
  } catch {
    throw new Refusal(WORDS.silent);
  }
}

async function signIn(email, password) {
  const answer = await ask(cognito, {
    method: "POST",
    headers: {
      "content-type": "application/x-amz-json-1.1",
      "x-amz-target": "AWSCognitoIdentityProviderService.InitiateAuth",
    },
    body: JSON.stringify({
      AuthFlow: "USER_PASSWORD_AUTH",
      ClientId: client,
      AuthParameters: { USERNAME: email, PASSWORD: password },
    }),
  });
  if (answer.status >= 500) throw new Refusal(WORDS.silent);
  if (!answer.ok) throw new Refusal(WORDS.refused);
  const { AuthenticationResult: session } = await answer.json();
  if (!session) throw new Refusal(WORDS.step);
  return session.AccessToken;
}

async function link() {
  const query = account === null ? "" : `?account=${encodeURIComponent(account)}`;
  const answer = await ask(`/open-file/files/${encodeURIComponent(file)}${query}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  if (answer.ok) return answer.json();
  if (answer.status === 401) {
    token = null;
    throw new Refusal(WORDS.expired);
  }
  if (answer.status >= 500) throw new Refusal(WORDS.silent);
  if (answer.status === 404) throw new Refusal(WORDS.missing);
  const said = await answer.json().catch(() => ({}));
  throw new Refusal(said.detail || said.title || WORDS.silent);
}

function size(bytes) {
  const units = ["B", "kB", "MB", "GB"];
  let unit = 0;
  let value = bytes;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${new Intl.NumberFormat("en", { maximumFractionDigits: 1 }).format(value)} ${units[unit]}`;
}

function show(found) {
  document.getElementById("file-name").textContent = found.name;
  const facts = [size(found.size), `version ${found.version}`, found.category, `from ${found.uploaded_by.name}`];
  document.getElementById("file-facts").textContent = facts.filter(Boolean).join(" · ");
  form.hidden = true;
  document.getElementById("lead").hidden = true;
  result.hidden = false;
  result.focus();
}

async function download() {
  const found = await link();
  show(found);
  // An attachment always: the page stays.
  location.assign(found.download.url);
}

function refuse(refusal) {
  if (token === null) {
    form.hidden = false;
    result.hidden = true;
  }
  problem.textContent = refusal instanceof Refusal ? refusal.message : WORDS.silent;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { email, password } = form.elements;
  const empty = [email, password].find((field) => field.value.trim() === "");
  if (empty) {
    problem.textContent = "Fill in e-mail and password.";
    empty.focus();
    return;
  }
  const button = form.querySelector("button");
  button.disabled = true;
  problem.textContent = "";
  try {
    token = await signIn(email.value.trim(), password.value);
    await download();
    password.value = "";
  } catch (refusal) {
    token = null;
    refuse(refusal);
    password.value = "";
    email.focus();
  } finally {
    button.disabled = false;
  }
});

document.getElementById("again").addEventListener("click", async () => {
  problem.textContent = "";
  await download().catch(refuse);
});
