// A guest's page: once its login has ended, it loads again, and is told why.

import { mounted } from "./dom.js";

const AGAIN_MS = 2000;
const LOOK_MS = 5000;

async function look() {
  const answer = await fetch("/api/health").catch(() => null);
  if (answer?.status === 401) location.reload();
}

class Watch {
  constructor() {
    this.looking = setInterval(look, LOOK_MS); // a socket that was just opening is not sent off
    this.connect();
  }

  take() {}

  connect() {
    this.socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/api/guests/watch`);
    this.socket.onclose = async () => {
      if (this.isClosed) return;
      await look();
      if (!this.isClosed) this.again = setTimeout(() => this.connect(), AGAIN_MS);
    };
  }

  close() {
    clearInterval(this.looking);
    clearTimeout(this.again);
    this.isClosed = true;
    this.socket.close();
  }
}

export default mounted(() => new Watch());
