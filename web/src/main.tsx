import { render } from "preact";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/views.css";
import "./styles/findings.css";
import "./styles/desk.css";
import "./styles/suggest.css";
import { startKeys } from "./lib/keys";
import { startEvents } from "./state/events";
import { startRoute } from "./state/route";
import { startTheme } from "./state/settings";
import { App } from "./views/app";

startTheme();
startRoute();
startKeys();
startEvents();
const root = document.getElementById("page");
if (root) render(<App />, root);
