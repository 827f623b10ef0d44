// The credential of this tab: an access token or an API key. It lives in sessionStorage, so that it ends with
// the tab, and never in the address, the history or localStorage.

const KEY = 'colloquy.token';

/** The token that the address bar brought (`#token=…`), taken out of it at once; else what this tab had. */
export function initialToken(): string {
  return takeFromAddress() ?? sessionStorage.getItem(KEY) ?? '';
}

export function storeToken(token: string): void {
  if (token) sessionStorage.setItem(KEY, token);
  else sessionStorage.removeItem(KEY);
}

/** Reads and removes `#token=…`; undefined where there is none. */
export function takeFromAddress(): string | undefined {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const token = fragment.get('token');
  if (token === null) return undefined;
  fragment.delete('token');
  const rest = fragment.toString();
  history.replaceState(history.state, '', location.pathname + location.search + (rest && `#${rest}`));
  return token.trim();
}
