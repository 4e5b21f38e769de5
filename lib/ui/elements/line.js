// The page's one line to the server for what is said: the element that draws replies holds the socket,
// the one that draws questions sends over it. Each finds the other here.

export const line = { live: null, asked: null };
