import { defineConfig } from "vite";

// The service that the development server passes /api to: `SERVICE=http://127.0.0.1:8080 npm run dev`.
const service = process.env["SERVICE"] ?? "http://127.0.0.1:8080";
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
  "worker-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const proxy = { "/api": { target: service }, "/readyz": { target: service } };

export default defineConfig({
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  // Everything lies in files of its own (no inlined data: URLs), so that a strict Content-Security-Policy holds.
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false }, chunkSizeWarningLimit: 900 },
  server: { proxy },
  // As the service sends it (src/http/page.rs).
  preview: { proxy, headers: { "Content-Security-Policy": POLICY } },
  test: { include: ["src/**/*.test.ts"] },
} as Parameters<typeof defineConfig>[0]);
