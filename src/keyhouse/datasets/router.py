"""`/api/v1/companies/<company_id>/datasets/`."""

from typing import Annotated

from fastapi import APIRouter, Response, Security
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from keyhouse.datasets.models import Dataset
from keyhouse.db import Database
from keyhouse.db.base import new_id
from keyhouse.errors import not_found
from keyhouse.gate import Principal, guard
from keyhouse.http.fields import LEFT_OUT, Answer, Body, Cursor, Description, Limit, Name, PathId, Timestamp
from keyhouse.http.schemas import Page, page

SCOPES = {"datasets:read": "Read datasets", "datasets:write": "Create, change and delete datasets"}
PREFIX = "/api/v1/companies/{company_id}/datasets"

Reader = Annotated[Principal, Security(guard, scopes=["datasets:read"])]
Writer = Annotated[Principal, Security(guard, scopes=["datasets:write"])]


class DatasetCreation(Body):
    name: Name
    description: Description = ""


class DatasetChange(Body):
    name: Name = LEFT_OUT
    description: Description = LEFT_OUT


class DatasetAnswer(Answer):
    id: str
    name: str
    description: str
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, dataset: Dataset) -> "DatasetAnswer":
        return cls(
            id=dataset.id,
            name=dataset.name,
            description=dataset.description,
            created_at=dataset.created_at,
            updated_at=dataset.updated_at,
        )


def router(database: Database) -> APIRouter:
    """The routes of datasets, on the database given."""
    routes = APIRouter(prefix=PREFIX, tags=["datasets"])

    @routes.get("/")
    async def list_datasets(
        company_id: str, who: Reader, limit: Limit = 50, cursor: Cursor | None = None
    ) -> Page[DatasetAnswer]:
        """The company's datasets."""
        query = select(Dataset).where(Dataset.company_id == company_id)
        if cursor is not None:
            query = query.where(Dataset.id < cursor)
        async with database.reading() as tx:
            found = (await tx.scalars(query.order_by(Dataset.id.desc()).limit(limit + 1))).all()
        return Page[DatasetAnswer].model_validate(
            page([DatasetAnswer.of(dataset) for dataset in found], [dataset.id for dataset in found], limit)
        )

    @routes.post("/", status_code=201)
    async def create_dataset(company_id: str, body: DatasetCreation, who: Writer, response: Response) -> DatasetAnswer:
        """Create a dataset."""
        async with database.writing() as tx:
            now = await database.now(tx)
            dataset = Dataset(
                id=new_id(),
                company_id=company_id,
                name=body.name,
                description=body.description,
                created_at=now,
                updated_at=now,
            )
            tx.add(dataset)
        response.headers["Location"] = f"{PREFIX.format(company_id=company_id)}/{dataset.id}/"
        return DatasetAnswer.of(dataset)

    @routes.get("/{dataset_id}/")
    async def get_dataset(company_id: str, dataset_id: PathId, who: Reader) -> DatasetAnswer:
        """One dataset."""
        async with database.reading() as tx:
            return DatasetAnswer.of(await _get(tx, company_id, dataset_id))

    @routes.patch("/{dataset_id}/")
    async def change_dataset(company_id: str, dataset_id: PathId, body: DatasetChange, who: Writer) -> DatasetAnswer:
        """Change a dataset's name or description."""
        async with database.writing() as tx:
            dataset = await _get(tx, company_id, dataset_id)
            for name, value in body.model_dump(exclude_unset=True).items():
                setattr(dataset, name, value)
            dataset.updated_at = await database.now(tx)
        return DatasetAnswer.of(dataset)

    @routes.delete("/{dataset_id}/", status_code=204)
    async def delete_dataset(company_id: str, dataset_id: PathId, who: Writer) -> None:
        """Delete a dataset."""
        async with database.writing() as tx:
            await _get(tx, company_id, dataset_id)
            await tx.execute(delete(Dataset).where(Dataset.company_id == company_id, Dataset.id == dataset_id))

    return routes


async def _get(tx: AsyncSession, company_id: str, dataset_id: str) -> Dataset:
    query = select(Dataset).where(Dataset.company_id == company_id, Dataset.id == dataset_id)
    dataset = (await tx.scalars(query)).one_or_none()
    if dataset is None:
        raise not_found()
    return dataset
