/** The simulations that are here. They belong to no campaign. */
import * as api from "../lib/api";
import type { Simulation } from "../lib/contract";
import { bytes, count, when } from "../lib/format";
import { RemoveButton } from "./remove";

const GOES = "Reviews of it that failed or were cancelled go with it, and its study loses a run. Where a finished review rests on it, that one has to be deleted first.";

export function SimulationsCard({ simulations, again }: { simulations: readonly Simulation[]; again: () => void }) {
  if (!simulations.length) return null;
  return (
    <section class="card" aria-label="Simulations">
      <div class="card-head"><h2>Simulations</h2><span class="muted small">{simulations.length} here, for all campaigns</span></div>
      <div class="simulations">
        <table>
          <thead class="hide"><tr><th>Simulation</th><th>Uploaded</th><th>Delete</th></tr></thead>
          <tbody>{simulations.map((each) => (
            <tr key={each.id} data-simulation={each.name}>
              <td><b>{each.name}</b>
                <div class="small muted">{count(each.elements, "element")}, {count(each.states, "state")}, {bytes(each.bytes)}{each.family ? `, study “${each.family}”` : ""}{each.has_sidecar ? "" : ", no side-car"}</div></td>
              <td class="number muted small">{when(each.created_at)}</td>
              <td class="number"><RemoveButton what="simulation" name={each.name} goes={GOES} remove={() => api.removeSimulation(each.id)} done={again} /></td>
            </tr>
          ))}</tbody>
        </table>
      </div>
    </section>
  );
}
