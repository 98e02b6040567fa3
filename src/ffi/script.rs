//! Writes networks as TorchScript archives.

use std::ffi::CString;

use tch::Tensor;

use super::linked;
use crate::error::{Error, ErrorKind, Result};

/// A module to write.
pub(crate) struct Script<'a> {
    /// TorchScript source of its methods.
    pub source: &'a str,
    /// Its parameters by path: `10.conv_block.1.weight` is parameter `weight` of module `1` in `conv_block` in `10`.
    /// They are written unchanged, including their device and gradient flag.
    pub parameters: &'a [(String, Tensor)],
    /// Name and text of an additional file in the archive.
    pub extra: (&'a str, &'a str),
}

impl Script<'_> {
    /// Compiles the module and passes the bytes of its archive to `sink` piece by piece.
    ///
    /// # Errors
    /// `Torch` with libtorch's message if the source does not compile. A sink cannot fail; it stores its own errors.
    pub fn save(&self, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
        let text = |text: &str| {
            CString::new(text).map_err(|e| Error::new(ErrorKind::Usage, "text for TorchScript holds a NUL").because(e))
        };
        let names: Vec<CString> = self.parameters.iter().map(|(name, _)| text(name)).collect::<Result<_>>()?;
        let (source, extra) = (text(self.source)?, [text(self.extra.0)?, text(self.extra.1)?]);
        let tensors: Vec<&Tensor> = self.parameters.iter().map(|(_, tensor)| tensor).collect();
        linked::script_save(&source, &names, &tensors, extra.each_ref().map(CString::as_c_str), sink)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(source: &str) -> Result<Vec<u8>> {
        let parameters = [("3.w".to_string(), Tensor::from_slice(&[2f32]))];
        let mut bytes = Vec::new();
        let script = Script { source, parameters: &parameters, extra: ("note", "a \"word\"") };
        script.save(&mut |piece| bytes.extend(piece))?;
        Ok(bytes)
    }

    #[test]
    fn a_module_runs_when_it_is_read_again() {
        let bytes = saved("def forward(self, x: Tensor) -> Tensor:\n  return x * getattr(self, \"3\").w\n").unwrap();
        let module = tch::CModule::load_data(&mut bytes.as_slice()).unwrap();
        let y = module.forward_ts(&[Tensor::from_slice(&[21f32])]).unwrap();
        assert_eq!(y.double_value(&[0]), 42.0);
    }

    #[test]
    fn source_that_does_not_compile_is_an_error() {
        let error = saved("def forward(self, x: Tensor) -> Tensor:\n  return nonsense(x)\n").unwrap_err();
        assert!(error.to_string().contains("nonsense"), "{error}");
        assert!(saved("def forward(self)\0").is_err());
    }
}
