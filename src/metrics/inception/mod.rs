//! The Inception network, whose features represent images in FID and KID.

mod graph;
mod network;
mod resize;
#[cfg(test)]
mod tests;
mod weights;
mod weights_file;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use tch::{Kind, Tensor};

use crate::device::Device;
use crate::error::{Error, ErrorKind, Result};
use crate::store;
use network::Network;
pub use resize::Resize;
use weights::Weights;

/// The environment variable with the path of the weights.
const VARIABLE: &str = "GEOLEARN_INCEPTION";
/// Number of features of an image.
const FEATURES: i64 = 2048;
/// Batch size for the network: the maps of 16 images take a few hundred MB.
const MOST_IMAGES: i64 = 16;
/// Number of pixels that are resized at once.
const MOST_PIXELS: i64 = 1 << 22;

/// The Inception network from TensorFlow's archive of 2015-12-05, whose features FID and KID compare.
///
/// Its 2048 features (`pool_3`) are the ones behind published scores; separately trained networks, such as
/// torchvision's, give different scores. The weights (87 MB) are not part of this crate. In a checkout of geolearn,
/// `cargo xtask inception` saves them where [`find`](Self::find) looks; the file can be copied to other machines.
///
/// ```
/// use geolearn::Device;
/// use geolearn::metrics::Inception;
///
/// match Inception::find(Device::Cpu) {
///     Ok(inception) => println!("{inception:?}"),
///     Err(error) => println!("{error}"), // what to do about it
/// }
/// ```
pub struct Inception {
    network: Network,
}

impl Inception {
    /// Opens the weights at the path in the environment variable `GEOLEARN_INCEPTION`; without it,
    /// `inception-2015-12-05.safetensors` in `$XDG_CACHE_HOME/geolearn`, by default `~/.cache/geolearn`.
    ///
    /// # Errors
    /// See [`open`](Self::open); also [`ErrorKind::Usage`] if neither that variable nor a home folder is set.
    pub fn find(device: Device) -> Result<Self> {
        Self::open(place(std::env::var_os(VARIABLE), store::cache_folder())?, device)
    }

    /// Opens a safetensors file of the weights, and verifies its SHA-256.
    ///
    /// ```
    /// use geolearn::metrics::Inception;
    /// use geolearn::{Device, ErrorKind};
    ///
    /// let error = Inception::open("no/such/file.safetensors", Device::Cpu).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Io);
    /// assert!(error.to_string().contains("cargo xtask inception"));
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the file does not exist, [`ErrorKind::Limits`] if it is too large, [`ErrorKind::Format`] if
    /// it is not the expected file, [`ErrorKind::Device`] if the device cannot be used.
    pub fn open(path: impl AsRef<Path>, device: Device) -> Result<Self> {
        let path = path.as_ref();
        let weights = read(path)?;
        if weights.sha256 != weights_file::SHA256 {
            return Err(Error::new(ErrorKind::Format, "these are not the known weights of the Inception network")
                .at(path)
                .expected(format!("SHA-256 {}", weights_file::SHA256))
                .found(&weights.sha256)
                .help(format!(
                    "{GET} `Inception::open_unverified` takes other weights; their numbers compare with no others."
                )));
        }
        Self::new(weights, device)
    }

    /// Opens other weights of the same network, such as ones that you trained yourself. Distances measured with them
    /// are comparable only with each other.
    ///
    /// The file is safetensors with four tensors for each convolution, all f32 and finite: `NAME.weight`, and
    /// `NAME.beta`, `NAME.mean`, and `NAME.var` of its batch norm.
    ///
    /// # Errors
    /// See [`open`](Self::open), except that any values are accepted.
    pub fn open_unverified(path: impl AsRef<Path>, device: Device) -> Result<Self> {
        Self::new(read(path.as_ref())?, device)
    }

    fn new(weights: Weights, device: Device) -> Result<Self> {
        Ok(Self { network: Network::new(weights, device.resolve()?.torch())? })
    }

    /// Computes the features of images, a few images at a time.
    ///
    /// # Shapes
    /// RGB images (N, 3, H, W) on any device, with values in 0..=255 as u8 or f32, to (N, 2048) in f32 on the CPU.
    ///
    /// # Errors
    /// `Usage` for another shape or kind, and for values that are not finite or not in 0..=255.
    pub(crate) fn features(&self, images: &Tensor, resize: Resize) -> Result<Tensor> {
        check(images)?;
        let (count, _, height, width) = images.size4()?;
        let together = (MOST_PIXELS / (height * width)).clamp(1, MOST_IMAGES);
        let batch = |first| self.features_of(&images.f_narrow(0, first, together.min(count - first))?, resize);
        let mut features = vec![Tensor::f_empty([0, FEATURES], (Kind::Float, tch::Device::Cpu))?];
        for first in (0..count).step_by(together as usize) {
            features.push(tch::no_grad(|| batch(first))?);
        }
        Ok(Tensor::f_cat(&features, 0)?)
    }

    fn features_of(&self, images: &Tensor, resize: Resize) -> Result<Tensor> {
        let images = resize.apply(&images.f_to_device(self.network.device())?)?;
        let scaled = images.f_sub_scalar(128.0)?.f_div_scalar(128.0)?;
        Ok(self.network.features(&scaled)?.f_to_device(tch::Device::Cpu)?)
    }
}

impl fmt::Debug for Inception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inception").field("device", &self.network.device()).finish_non_exhaustive()
    }
}

const GET: &str = "Run `cargo xtask inception` in a checkout of geolearn, which fetches them, or set GEOLEARN_INCEPTION to \
                   the path of a copy.";

fn read(path: &Path) -> Result<Weights> {
    Weights::read(path).map_err(|error| match error.kind() {
        ErrorKind::Io => error.help(format!("These are the weights of the Inception network. {GET}")),
        _ => error.help(GET),
    })
}

/// Returns the path of the weights: from the environment variable, or else in the cache.
fn place(named: Option<OsString>, cache: Option<PathBuf>) -> Result<PathBuf> {
    let named = named.filter(|path| !path.is_empty()).map(PathBuf::from);
    named.or_else(|| Some(cache?.join(weights_file::FILE))).ok_or_else(|| {
        Error::new(
            ErrorKind::Usage,
            "neither GEOLEARN_INCEPTION nor HOME says where the Inception network's weights are",
        )
        .help(GET)
    })
}

fn check(images: &Tensor) -> Result<()> {
    let wrong = |expected: &str, found: String| {
        Err(Error::new(ErrorKind::Usage, "the Inception network does not take these images")
            .expected(expected)
            .found(found))
    };
    match images.size()[..] {
        [_, 3, height, width] if height > 0 && width > 0 => {}
        _ => return wrong("a shape of (N, 3, H, W)", format!("{:?}", images.size())),
    }
    match images.kind() {
        Kind::Uint8 => return Ok(()),
        Kind::Float => {}
        other => return wrong("u8 or f32", format!("{other:?}")),
    }
    if images.numel() == 0 {
        return Ok(());
    }
    let (least, most) = images.f_aminmax(None::<i64>, false)?;
    let (least, most) = (least.f_double_value(&[])?, most.f_double_value(&[])?);
    // Not `>`, because NaN must not pass.
    if !(least >= 0.0 && most <= 255.0) {
        return wrong("values in 0..=255", format!("{least} to {most}"));
    }
    Ok(())
}
