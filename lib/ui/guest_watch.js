// A guest's page: when its login ends, it loads again, and is told why.
const SENT_OFF = 1008;

export default function () {
  const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/api/guests/watch`);
  socket.addEventListener("close", event => event.code === SENT_OFF && location.reload());
  return () => socket.close();
}
