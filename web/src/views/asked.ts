/** Asks the service when a view comes up and again when something that it shows has changed. */
import { useEffect, useRef, useState } from "preact/hooks";
import { messageOf } from "../state/desk";
import { onEvent, onReconnect, type Heard } from "../state/events";

/** Events come in bursts and, while a test is filmed, without end: one reading serves all of this time. */
const SETTLE_MS = 1000;

export interface Asked<T> {
  value: T | null;
  problem: string | null;
  again: () => void;
}

/** `concerns` says which events make the answer old. `key` changes when the question does. */
export function useAsked<T>(key: string, question: () => Promise<T>, concerns: (heard: Heard) => boolean = () => false): Asked<T> {
  const [answer, setAnswer] = useState<{ value: T | null; problem: string | null }>({ value: null, problem: null });
  const ask = useRef<() => void>(() => {});
  useEffect(() => {
    let gone = false;
    let timer = 0;
    let running = false;
    let stale = false;
    const read = async () => {
      if (running) {
        stale = true;
        return;
      }
      running = true;
      try {
        const value = await question();
        if (!gone) setAnswer({ value, problem: null });
      } catch (cause) {
        if (!gone) setAnswer((before) => ({ value: before.value, problem: messageOf(cause) }));
      }
      running = false;
      if (stale && !gone) {
        stale = false;
        soon();
      }
    };
    const soon = () => {
      if (timer) return;
      timer = window.setTimeout(() => {
        timer = 0;
        void read();
      }, SETTLE_MS);
    };
    ask.current = () => void read();
    setAnswer({ value: null, problem: null });
    void read();
    const ends = [onEvent((heard) => { if (concerns(heard)) soon(); }), onReconnect(soon)];
    return () => {
      gone = true;
      clearTimeout(timer);
      for (const end of ends) end();
    };
    // The question belongs to its key; a new closure each time is no new question.
  }, [key]);
  return { ...answer, again: () => ask.current() };
}
