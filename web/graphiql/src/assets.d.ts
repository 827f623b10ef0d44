// What the bundler resolves and TypeScript does not know.
declare module '*.graphql' {
  const text: string;
  export default text;
}
declare module '*.css';
