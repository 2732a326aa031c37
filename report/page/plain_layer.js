"use strict";
// A deck.gl layer of vertices as they are, not of copies of one shape: where the processor paints, every copy costs as much
// as a draw call. What lies well behind the Earth is left out by its vertex shader (HIDING), and a pointer finds the rest.

// topology: what each of the vertices belongs to. shaders: { vs, fs }. accessors, attributes: deck.gl's.
function plainLayer(layerName, topology, shaders, accessors, attributes) {
  return class extends deck.Layer {
    static layerName = layerName;
    static defaultProps = {
      ...accessors, getPickingColor: { type: "accessor", value: [0, 0, 0, 0] },
    };

    getShaders() {
      return super.getShaders({ ...shaders, modules: [deck.project32, deck.picking, HIDING] });
    }

    initializeState() {
      const manager = this.getAttributeManager();
      manager.remove(["instancePickingColors"]);
      manager.add({ ...attributes, pickingColors: { size: 4, type: "uint8", accessor: "getPickingColor" } });
      this.state.model = new luma.Model(this.context.device, {
        ...this.getShaders(), id: this.props.id, topology, isInstanced: false, bufferLayout: manager.getBufferLayouts(),
      });
    }

    draw() {
      this.state.model.setVertexCount(this.props.data.length);
      this.state.model.draw(this.context.renderPass);
    }
  };
}

// [4 * n]: as deck.gl finds an index again in the picture that it makes for the pointer.
function pickingColours(n) {
  const colours = new Uint8Array(4 * n);
  for (let i = 0; i < n; i++) colours.set([(i + 1) & 255, ((i + 1) >> 8) & 255, ((i + 1) >> 16) & 255], 4 * i);
  return colours;
}
