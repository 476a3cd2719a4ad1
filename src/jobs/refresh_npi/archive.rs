//! The archive of loaded files: a directory or a bucket. It has copies; only the ledger says which files were loaded.

use std::fs::File;
use std::io::{Read, Seek};
use std::sync::Arc;

use object_store::aws::AmazonS3Builder;
use object_store::client::{HttpClient, HttpConnector};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt, WriteMultipart};
use reqwest::Url;

use crate::clients;
use crate::error::file_error;
use crate::error::{Error, ErrorKind};

const PIECE: usize = 256 << 10;
/// The smallest part that a bucket takes. One part is sent while the next is read.
const PART: usize = 5 << 20;

pub struct Archive {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    url: String,
}

/// Gives the store the HTTP client of this program, with its policy for TLS and redirects.
#[derive(Debug)]
struct OwnHttpClient;

impl HttpConnector for OwnHttpClient {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client =
            clients::http().map_err(|error| object_store::Error::Generic { store: "http", source: Box::new(error) })?;
        Ok(HttpClient::new(clients::Traced(client)))
    }
}

impl Archive {
    /// Opens file:///dir or s3://bucket/prefix. Credentials and endpoint come from the AWS_ variables.
    pub fn open(url: &Url) -> Result<Self, Error> {
        let refused = |message: &str| Error::new("NPPES_ARCHIVE", ErrorKind::Refused, format!("--archive: {message}"));
        let (store, prefix): (Arc<dyn ObjectStore>, _) = match url.scheme() {
            "file" => {
                let dir = url.to_file_path().map_err(|()| refused("a directory looks like file:///var/lib/nppes"))?;
                let store = LocalFileSystem::new_with_prefix(dir).map_err(|_| refused("there is no such directory"))?;
                (Arc::new(store), Path::default())
            }
            "s3" => {
                let bucket = url.host_str().ok_or_else(|| refused("a bucket looks like s3://bucket/prefix"))?;
                let store =
                    AmazonS3Builder::from_env().with_bucket_name(bucket).with_http_connector(OwnHttpClient).build();
                (
                    Arc::new(store.map_err(|_| refused("the AWS_ variables do not name a bucket that can be used"))?),
                    Path::from(url.path()),
                )
            }
            _ => return Err(refused("file:// or s3://")),
        };
        Ok(Self { store, prefix, url: url.as_str().trim_end_matches('/').to_owned() })
    }

    /// Stores a copy of a file under its name; returns the copy's URL.
    pub async fn store(&self, name: &str, file: &mut File) -> Result<String, Error> {
        let path = self.prefix.clone().join(name);
        let failed = |error: object_store::Error| {
            let why = match error {
                object_store::Error::NotFound { .. } => "there is no such place",
                object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
                    "it is not allowed"
                }
                _ => "it cannot be written",
            };
            Error::new("NPPES_ARCHIVE", ErrorKind::Other, format!("{name} was loaded, but not archived: {why}"))
        };
        let unreadable = |error: std::io::Error| {
            let message =
                format!("{name} was loaded, but not archived: it cannot be read again ({})", file_error(&error));
            Error::new("NPPES_ARCHIVE", ErrorKind::Other, message)
        };
        file.rewind().map_err(unreadable)?;
        let upload = self.store.put_multipart(&path).await.map_err(failed)?;
        let mut write = WriteMultipart::new_with_chunk_size(upload, PART);
        if let Err(error) = copy(file, &mut write).await {
            // A bucket keeps, and bills, the parts of an upload that is not aborted.
            let _ = write.abort().await;
            return Err(match error {
                CopyError::Read(error) => unreadable(error),
                CopyError::Store(error) => failed(error),
            });
        }
        write.finish().await.map_err(failed)?;
        Ok(format!("{}/{name}", self.url))
    }
}

/// Where a copy failed.
enum CopyError {
    Read(std::io::Error),
    Store(object_store::Error),
}

async fn copy(file: &mut File, write: &mut WriteMultipart) -> Result<(), CopyError> {
    let mut piece = vec![0; PIECE];
    loop {
        let count = file.read(&mut piece).map_err(CopyError::Read)?;
        if count == 0 {
            return Ok(());
        }
        write.wait_for_capacity(1).await.map_err(CopyError::Store)?;
        write.write(&piece[..count]);
    }
}
