# A Pipeline with a ColumnTransformer; the title out of the name by a regular expression; a column from another one.

# %% [markdown]
# # Titanic - a clean pipeline this time

# %%
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

# %%
titanic = pd.read_csv('titanic.csv', index_col='PassengerId')
titanic.head()

# %%
titanic.groupby(['Sex', 'Pclass'])['Survived'].mean().unstack()

# %%
titanic['Title'] = titanic['Name'].str.extract(r' ([A-Za-z]+)\.', expand=False)
titanic['Title'].value_counts()

# %%
titanic['FamilySize'] = titanic['SibSp'] + titanic['Parch'] + 1
titanic['IsAlone'] = (titanic['FamilySize'] == 1).astype(int)
titanic['HasCabin'] = titanic['Cabin'].notna().astype(int)

# %%
titanic = titanic.drop(columns=['Name', 'Cabin'])

# %%
X = titanic.drop(columns='Survived')
y = titanic['Survived']
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=0)

# %%
numeric_features = ['Age', 'Fare', 'FamilySize']
categorical_features = ['Embarked', 'Sex', 'Pclass', 'Title']

numeric_transformer = Pipeline(steps=[
    ('imputer', SimpleImputer(strategy='median')),
    ('scaler', StandardScaler())])

categorical_transformer = Pipeline(steps=[
    ('imputer', SimpleImputer(strategy='most_frequent')),
    ('onehot', OneHotEncoder(handle_unknown='ignore'))])

preprocessor = ColumnTransformer(
    transformers=[
        ('num', numeric_transformer, numeric_features),
        ('cat', categorical_transformer, categorical_features)],
    remainder='passthrough')

# %%
clf = Pipeline(steps=[('preprocessor', preprocessor),
                      ('classifier', GradientBoostingClassifier(n_estimators=40, random_state=0))])
clf

# %%
cross_val_score(clf, X_train, y_train, cv=3).mean()

# %%
clf.fit(X_train, y_train)
print("model score: %.3f" % clf.score(X_test, y_test))

# %%
y_hat = clf.predict(X_test)
print('acc', accuracy_score(y_test, y_hat))
print('auc', roc_auc_score(y_test, clf.predict_proba(X_test)[:, 1]))
