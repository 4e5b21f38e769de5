// A guest's page: once its login has ended, it loads again, and is told why.
const AGAIN_MS = 2000;
const LOOK_MS = 5000;

async function look() {
  const answer = await fetch("/api/health").catch(() => null);
  if (answer?.status === 401) location.reload();
}

export default function () {
  let socket, timer, hasLeft = false;
  const watch = () => {
    socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/api/guests/watch`);
    socket.addEventListener("close", ended);
  };
  const ended = async () => {
    if (hasLeft) return;
    await look();
    timer = setTimeout(watch, AGAIN_MS);
  };
  watch();
  const looking = setInterval(look, LOOK_MS); // a socket that was just opening is not sent off
  return () => {
    hasLeft = true;
    clearInterval(looking);
    clearTimeout(timer);
    socket.close();
  };
}
