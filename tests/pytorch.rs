//! Tests that PyTorch reads saved models. Needs a Python with torch in GEOLEARN_TEST_PYTHON.

mod common;

use common::{answer, python, small_data, small_model};

/// arcgis.learn's generator in plain PyTorch, with the weights of the saved file.
const SCRIPT: &str = r#"
import json, sys
import torch
from torch import nn

weights = torch.load(sys.argv[1], weights_only=True)
assert type(weights).__name__ == "OrderedDict", type(weights)
assert all(t.dtype == torch.float32 for t in weights.values())
assert list(weights)[0] == "D_A.0.weight" and list(weights)[-1] == "G_B.18.bias", list(weights)


class Block(nn.Module):
    def __init__(self, n):
        super().__init__()
        norm = lambda: nn.InstanceNorm2d(n)
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(n, n, 3), norm(), nn.ReLU(),
            nn.Identity(), nn.Conv2d(n, n, 3), norm())

    def forward(self, x):
        y = self.conv_block[3](self.conv_block[2](self.conv_block[1](self.conv_block[0](x))))
        return x + self.conv_block[6](self.conv_block[5](self.conv_block[0](y)))


f = 4
g = nn.Sequential(
    nn.ReflectionPad2d(3), nn.Conv2d(3, f, 7), nn.InstanceNorm2d(f), nn.ReLU(),
    nn.Conv2d(f, 2 * f, 3, 2, 1), nn.InstanceNorm2d(2 * f), nn.ReLU(),
    nn.Conv2d(2 * f, 4 * f, 3, 2, 1), nn.InstanceNorm2d(4 * f), nn.ReLU(),
    Block(4 * f),
    nn.ConvTranspose2d(4 * f, 2 * f, 3, 2, 1, 1), nn.InstanceNorm2d(2 * f), nn.ReLU(),
    nn.ConvTranspose2d(2 * f, f, 3, 2, 1, 1), nn.InstanceNorm2d(f), nn.ReLU(),
    nn.ReflectionPad2d(3), nn.Conv2d(f, 3, 7), nn.Tanh())
g.load_state_dict({k[4:]: v for k, v in weights.items() if k.startswith("G_B.")})
lo, hi, lo_b, hi_b = (torch.tensor(v).view(1, 3, 1, 1) for v in json.loads(sys.argv[2]))
c, y, x = torch.meshgrid(torch.arange(3.0), torch.arange(36.0), torch.arange(48.0), indexing="ij")
image = ((c + 1) * (2 * y + x))[None]
with torch.no_grad():
    out = g(-1 + 2 * (image - lo) / (hi - lo + 1e-5))
out = (out + 1) / 2 * (hi_b - lo_b) + lo_b
print(json.dumps(out.flatten().tolist()))
"#;

#[test]
fn pytorch_reads_our_weights_and_translates_alike() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let model = small_model(&data);
    let place = model.save(folder.path().join("m")).unwrap();
    let extremes = [geolearn::Domain::A, geolearn::Domain::B].map(|domain| {
        let bands = data.statistics(domain).bands();
        [bands.iter().map(|b| b.min).collect::<Vec<_>>(), bands.iter().map(|b| b.max).collect()]
    });
    let extremes = serde_json::to_string(&extremes.concat()).unwrap();
    let Some(found) = python::run(&[&"-c", &SCRIPT, &place.join("m.pth"), &extremes]) else { return };
    let expected: Vec<f32> = serde_json::from_str(&found).unwrap();
    let image = ndarray::Array3::from_shape_fn((3, 36, 48), |(c, y, x)| ((c + 1) * (2 * y + x)) as f32);
    let found = model.predict_array(&image, geolearn::Domain::B).unwrap();
    assert_eq!(found.len(), expected.len());
    // f32 rounding through a dozen layers, for values of 0 to 255.
    let worst = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= 2e-3, "off by {worst}");
    assert!(answer(&model).iter().all(|v| v.is_finite()));
}
