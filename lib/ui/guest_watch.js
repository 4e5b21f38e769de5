// A guest's page: once its login has ended, it loads again, and is told why.
const AGAIN_MS = 2000;

export default function () {
  let socket, timer, hasLeft = false;
  const watch = () => {
    socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/api/guests/watch`);
    socket.addEventListener("close", ended);
  };
  const ended = async () => {
    if (hasLeft) return;
    const answer = await fetch("/api/health").catch(() => null);
    if (answer?.status === 401) location.reload();
    else timer = setTimeout(watch, AGAIN_MS);
  };
  watch();
  return () => {
    hasLeft = true;
    clearTimeout(timer);
    socket.close();
  };
}
