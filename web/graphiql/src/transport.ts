// How operations reach the server: queries and mutations by POST, subscriptions by graphql-transport-ws, both on
// the origin that served the page. A fault of the transport becomes a result with `errors`, so that the result
// pane tells it in the same form as everything else.

import type { Fetcher } from '@graphiql/toolkit';
import { type ExecutionResult, GraphQLError, getOperationAST, parse } from 'graphql';
import { createClient } from 'graphql-ws';

const ENDPOINT = '/graphql';
const WEBSOCKET_ENDPOINT = '/graphql/ws';

export type Operation = {
  query: string;
  operationName?: string | null;
  variables?: Record<string, unknown>;
};
type Headers = Record<string, string>;
type Reply = { status: number; result: ExecutionResult };
type Observable = Extract<ReturnType<Fetcher>, { subscribe: unknown }>;
type Observer = { next(result: ExecutionResult): void; complete(): void };

export function fetcherFor(token: string): Fetcher {
  return (params, options) => {
    const { operation, isSubscription } = resolve(params);
    return isSubscription
      ? subscription(operation, token)
      : post(operation, token, options?.headers).then((reply) => reply.result);
  };
}

export async function post(operation: Operation, token: string, headers: Headers = {}): Promise<Reply> {
  let response: Response;
  try {
    response = await fetch(ENDPOINT, {
      method: 'POST',
      headers: {
        accept: 'application/graphql-response+json, application/json',
        'content-type': 'application/json',
        ...authorization(token),
        ...lowerCased(headers),
      },
      body: JSON.stringify(operation),
    });
  } catch (error) {
    return { status: 0, result: failure(`The server cannot be reached: ${messageOf(error)}`) };
  }
  const text = await response.text();
  try {
    return { status: response.status, result: JSON.parse(text) };
  } catch {
    const answer = text.trim().slice(0, 500) || 'nothing';
    return {
      status: response.status,
      result: failure(`The server answered ${response.status} and no JSON: ${answer}`),
    };
  }
}

// A socket of its own for each subscription: it closes with it, and always carries the token of the moment.
// Nothing is retried silently: a console shows when a stream ended and why.
function subscription(operation: Operation, token: string): Observable {
  return {
    subscribe(observer: Observer) {
      const client = createClient({
        url: new URL(WEBSOCKET_ENDPOINT, location.origin.replace(/^http/, 'ws')).href,
        connectionParams: authorization(token),
        retryAttempts: 0,
      });
      const stop = client.subscribe<Record<string, unknown>>(operation, {
        next: (result) => observer.next(result as ExecutionResult),
        error(error) {
          observer.next(Array.isArray(error) ? { errors: error } : failure(reasonOfEnd(error)));
          observer.complete();
        },
        complete: () => observer.complete(),
      });
      return { unsubscribe: stop };
    },
  } as Observable; // GraphiQL uses this one of its three call forms
}

// GraphiQL's notion of the operation lags behind fast typing: what is sent follows the text itself.
function resolve(params: Operation): { operation: Operation; isSubscription: boolean } {
  try {
    const document = parse(params.query);
    const named = getOperationAST(document, params.operationName);
    const ast = named ?? getOperationAST(document);
    const operationName = named ? params.operationName : ast?.name?.value;
    return { operation: { ...params, operationName }, isSubscription: ast?.operation === 'subscription' };
  } catch {
    // A syntax error: the server's own message is the one to show.
    return { operation: params, isSubscription: false };
  }
}

function authorization(token: string): Headers {
  return token ? { authorization: `Bearer ${token}` } : {};
}

// So that a header typed into the editor replaces ours, whatever its case.
function lowerCased(headers: Headers): Headers {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]));
}

function failure(message: string): ExecutionResult {
  return { errors: [new GraphQLError(message)] };
}

function reasonOfEnd(error: unknown): string {
  if (error instanceof CloseEvent) {
    return `The WebSocket was closed with code ${error.code}${error.reason && `: ${error.reason}`}`;
  }
  return `The WebSocket failed: ${messageOf(error)}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'for an unknown reason';
}
