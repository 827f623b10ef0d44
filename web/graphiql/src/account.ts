// What the bar above the editor asks of the API: whose token this is, and a token for an e-mail and a password.

import { post } from './transport';

/** What the status line says; empty where the server does not tell. */
export async function describeViewer(token: string): Promise<string> {
  if (!token) return 'Not signed in';
  const { status, result } = await post({ query: '{ viewer { user { email } } }' }, token);
  const refused = result.errors?.some((error) => error.extensions?.code === 'UNAUTHENTICATED');
  if (status === 401 || refused) return 'Token not accepted';
  const viewer = result.data?.viewer as { user?: { email?: string } | null } | null | undefined;
  if (!viewer) return '';
  return viewer.user?.email ? `Signed in as ${viewer.user.email}` : 'Signed in';
}

const LOG_IN = `mutation LogIn($input: LogInInput!) {
  logIn(input: $input) { session { accessToken } userErrors { message } }
}`;

type LogInPayload = {
  session?: { accessToken: string } | null;
  userErrors?: { message: string }[];
};

/** The access token, or an error whose message is meant for the user. */
export async function logIn(email: string, password: string): Promise<string> {
  const { result } = await post({ query: LOG_IN, variables: { input: { email, password } } }, '');
  const payload = result.data?.logIn as LogInPayload | null | undefined;
  if (payload?.session) return payload.session.accessToken;
  const problems = [...(payload?.userErrors ?? []), ...(result.errors ?? [])].map((problem) => problem.message);
  throw new Error(problems.join(' ') || 'The server did not sign you in.');
}
